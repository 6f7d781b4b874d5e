package server

import "syscall"

// stepBack gives way to other threads of the process and of the machine: nice 19, which
// Linux keeps by thread (setpriority(2)).
func stepBack() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19) }
