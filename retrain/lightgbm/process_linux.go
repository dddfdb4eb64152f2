package lightgbm

import (
	"os"
	"syscall"
)

// childAttributes make the child a process group of its own that the kernel
// kills when its parent dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// renice lowers the priority of all threads of the child's process group;
// threads made later inherit it.
func renice(pid, nice int) error {
	if nice == 0 {
		return nil
	}
	return syscall.Setpriority(syscall.PRIO_PGRP, pid, nice)
}

func signalName(state *os.ProcessState) string {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal().String()
	}
	return ""
}

// boundMemory limits what the calling process may hold as data.
func boundMemory(bytes int64) error {
	if bytes <= 0 {
		return nil
	}
	limit := syscall.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &limit)
}

// takeStdout gives a private copy of standard output and sends what C code
// prints to standard error, away from the frames.
func takeStdout() (*os.File, error) {
	private, err := syscall.Dup(1)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(private)
	if err := syscall.Dup3(2, 1, 0); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(private), "frames"), nil
}
