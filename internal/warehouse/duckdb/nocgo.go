//go:build !cgo

package duckdb

import (
	"context"
	"fmt"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// Open says what is missing.
func Open(_ context.Context, o Options) (warehouse.Warehouse, error) {
	if _, err := o.withDefaults(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: build with CGO_ENABLED=1 and a C compiler (apt-get install gcc g++); import and retrain need it, scoring does not",
		warehouse.ErrUnavailable)
}
