//go:build !js

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "porchlight-wasm runs in a browser: build it with GOOS=js GOARCH=wasm, as make build does")
	os.Exit(2)
}
