package cli

import (
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

// Run says which build this is.
func (c *versionCommand) Run(e *env) error {
	out := map[string]any{"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "version": "unknown"}
	if info, ok := debug.ReadBuildInfo(); ok {
		out["version"] = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				out["revision"] = s.Value
			}
		}
	}
	if e.json {
		return e.encode(out)
	}
	e.printf("haechi %v (%v, %v)\n", out["version"], out["go"], out["platform"])
	return nil
}
