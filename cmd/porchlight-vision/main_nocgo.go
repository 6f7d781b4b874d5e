//go:build !cgo

// Porchlight-vision is the vision worker; built without cgo it can only say so.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "porchlight-vision: built without cgo, which ONNX Runtime needs: build it with CGO_ENABLED=1 and a C compiler")
	os.Exit(2)
}
