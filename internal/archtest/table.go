package archtest

import "strings"

// Shorthands of the table.
const (
	wire       = "proto/haechi/v1 proto/haechi/v1/openapi"
	logRecords = "proto/haechi/log/v1"
	nothing    = ""
	anything   = "*"
)

// row says which of our packages a package may import.
type row struct {
	// pkg is a folder; a last element * stands for every folder directly below, rows further up go first.
	pkg string
	// may lists folders in the same way; * alone is every package.
	may string
}

// table is the import table. A package that is not in it has no place in the architecture yet.
func table() []row {
	return []row{
		{"cmd/haechi", "internal/cli"},
		{"proto/haechi/v1", nothing},
		{"proto/haechi/v1/openapi", nothing},
		{"proto/haechi/log/v1", nothing},

		{"features", nothing},
		{"model", nothing},
		{"registry", nothing},
		{"registry/*", "registry"},
		{"retrain", "features model registry internal/policy internal/warehouse internal/notify retrain/*"},
		{"retrain/evaluate", nothing},
		{"retrain/lightgbm", nothing},

		{"internal/project", "features internal/policy internal/rollout retrain internal/warehouse"},
		{"internal/policy", "features"},
		{"internal/eventlog", logRecords},
		{"internal/scoring", "features model registry internal/policy internal/eventlog " + logRecords},
		{"internal/ingest", "features internal/project internal/eventlog internal/warehouse " + logRecords},
		{"internal/offline", "features internal/project internal/ingest"},
		{"internal/rollout", "registry retrain/evaluate internal/notify"},
		{"internal/warehouse", nothing},
		{"internal/warehouse/*", "internal/warehouse"},
		{"internal/notify", nothing},
		{"internal/notify/*", "internal/notify"},
		{"internal/dashboard", nothing},
		{"internal/simulate", "features"},
		{"internal/server", wire + " features model registry retrain internal/project internal/policy internal/eventlog " +
			"internal/scoring internal/ingest internal/rollout internal/dashboard"},
		{"internal/app", anything},
		{"internal/cli", wire + " internal/app internal/offline internal/project internal/simulate examples"},
		{"internal/archtest", nothing},
		{"examples", nothing},
	}
}

// monopoly says who alone may import something, ours or not.
type monopoly struct {
	// what is an import path and all below it; ours are written as in the table.
	what string
	// who lists folders as in the table; a file may be named too.
	who string
	why string
}

// only lists what few may import, whatever the table says.
func only() []monopoly {
	return []monopoly{
		{"proto/haechi/v1", "internal/server internal/cli", "only server and cli speak the wire"},
		{"proto/haechi/log/v1", "internal/eventlog internal/scoring internal/ingest", "only those who write the log know its records"},
		{"internal/cli", "cmd/haechi", "nothing but the main package starts the command line"},
		{"internal/app", "internal/cli", "app knows everyone, so no one but cli may know app"},
		{"registry/registrytest", nothing, "a suite that every driver runs is for their tests"},
		{"internal/warehouse/warehousetest", nothing, "a suite that every driver runs is for their tests"},

		{"github.com/jackc/pgx", "registry/postgres internal/warehouse/postgres", "only drivers talk to a database"},
		{"github.com/duckdb", "internal/warehouse/duckdb", "only drivers talk to a database"},
		{"modernc.org/sqlite", "registry/sqlite", "only drivers talk to a database"},
		{"github.com/slack-go", "internal/notify/slack", "only the driver talks to Slack"},
		{"github.com/dmitryikh/leaves", "model", "models are evaluated in one place"},
		{"github.com/ebitengine/purego", "retrain/lightgbm", "C code runs in LightGBM's child process alone"},
		{"C", nothing, "no cgo of our own"},
		{"google.golang.org/grpc/codes", "internal/server/errors.go internal/cli", "errors become status codes in one place"},
	}
}

// match reports whether the list names the folder.
func match(list, folder string) bool {
	for pattern := range strings.FieldsSeq(list) {
		parent, below := strings.CutSuffix(pattern, "/*")
		rest, under := strings.CutPrefix(folder, parent+"/")
		switch {
		case pattern == anything, pattern == folder:
			return true
		case below && under && !strings.Contains(rest, "/"):
			return true
		}
	}
	return false
}
