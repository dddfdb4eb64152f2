package app

import (
	"context"
	"fmt"
	"io"

	"github.com/haechi-fraud/haechi/retrain"
	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

// Names of the commands by which this program runs parts of itself as child processes. People do not call them.
const (
	ChildRetrain  = "child-retrain"
	ChildLightGBM = "child-lightgbm"
)

// Child runs a child command and returns its exit code; false when args are none.
func Child(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int, is bool) {
	switch {
	case len(args) == 1 && args[0] == ChildLightGBM:
		return lightgbm.ChildMain(stdin, stdout), true
	case len(args) == 2 && args[0] == ChildRetrain:
		return retrain.ChildMain(ctx, args[1], stdout, stderr), true
	case len(args) > 0 && (args[0] == ChildLightGBM || args[0] == ChildRetrain):
		fmt.Fprintln(stderr, "this command is for haechi itself")
		return 2, true
	}
	return 0, false
}
