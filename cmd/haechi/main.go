// Command haechi is the whole product in one binary: server, trainer and the commands that talk to them. This package
// only turns signals into the end of a context and the outcome into an exit code.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/haechi-fraud/haechi/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
