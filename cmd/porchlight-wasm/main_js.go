package main

import "syscall/js"

// main gives the worker a function porchlightCheck(request, pixels, file): text and two
// arrays of bytes; it answers text. Then it waits.
func main() {
	var c checker
	var pixels, file []byte
	js.Global().Set("porchlightCheck", js.FuncOf(func(_ js.Value, args []js.Value) any {
		pixels, file = copied(pixels, args[1]), copied(file, args[2])
		return c.checkJSON(args[0].String(), pixels, file)
	}))
	if ready := js.Global().Get("porchlightReady"); ready.Type() == js.TypeFunction {
		ready.Invoke()
	}
	select {}
}

// copied copies an array's bytes into buf, or a larger one.
func copied(buf []byte, array js.Value) []byte {
	n := array.Get("byteLength").Int()
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	js.CopyBytesToGo(buf, array)
	return buf
}
