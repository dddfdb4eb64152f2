//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"

	duckdbgo "github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

//go:embed schema.sql
var schema string

// Warehouse is a DuckDB file. Load, Describe and Close take turns; Pull and Query run beside them on their own
// connections and see what was committed when they began.
type Warehouse struct {
	options Options
	db      *sql.DB
	// write is held while the file is changed, or loader used.
	write  sync.Mutex
	loader *session
}

var _ warehouse.Warehouse = (*Warehouse)(nil)

// Open opens the file, or makes it with its schemas.
func Open(ctx context.Context, o Options) (warehouse.Warehouse, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	settings := o.settings()
	query := make(url.Values)
	for name, value := range settings {
		query.Set(name, value)
	}
	connector, err := duckdbgo.NewConnector(o.Path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("open the warehouse %s (a DuckDB file has one owner: is a server running on this project?): %w", o.Path, err)
	}
	w := &Warehouse{options: o, db: sql.OpenDB(connector)}
	if w.loader, err = openSession(o, settings); err == nil {
		err = w.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the warehouse %s: %w", o.Path, err), w.Close())
	}
	return w, nil
}

// settings of the database, the same for every handle on it.
func (o Options) settings() map[string]string {
	return map[string]string{
		"duckdb_api":                   "go",
		"memory_limit":                 strconv.Itoa(o.MemoryLimitMiB) + "MiB",
		"threads":                      strconv.Itoa(o.Threads),
		"autoinstall_known_extensions": "false",
		"autoload_known_extensions":    "false",
		// Keeps people's queries away from files and from the network. The database and its spill folder stay open.
		"enable_external_access": "false",
		// Bulk loads would otherwise write everything twice within short intervals.
		"checkpoint_threshold": "256MiB",
	}
}

// instances is the driver's table of opened files, through which a second handle on the same one is had.
func instances() mapping.InstanceCache { return duckdbgo.GetInstanceCache() }

func (w *Warehouse) prepare(ctx context.Context) error {
	if _, err := w.db.ExecContext(ctx, schema); err != nil {
		return err
	}
	_, err := w.db.ExecContext(ctx, "SET lock_configuration = true")
	return err
}

// Close writes what is in DuckDB's own log into the file and closes it.
func (w *Warehouse) Close() error {
	w.write.Lock()
	defer w.write.Unlock()
	if w.loader != nil {
		w.loader.close()
		w.loader = nil
	}
	return w.db.Close()
}

// errClosed answers a Load after Close.
var errClosed = errors.New("the warehouse is closed")

// withWriter runs f in a transaction. When the context ends, f's statements do, and the transaction is rolled back here
// and not by database/sql behind our back, which would also throw the connection away.
func (w *Warehouse) withWriter(ctx context.Context, f func(ctx context.Context, conn *sql.Conn) error) (err error) {
	w.write.Lock()
	defer w.write.Unlock()
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the warehouse: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(ctx, conn); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// withReader gives f the driver's own connection, outside of any transaction.
func (w *Warehouse) withReader(ctx context.Context, f func(conn driver.QueryerContext) error) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the warehouse: %w", err)
	}
	var inner error
	raw := conn.Raw(func(c any) error {
		queryer, ok := c.(driver.QueryerContext)
		if !ok {
			return fmt.Errorf("unexpected driver connection %T", c)
		}
		inner = f(queryer)
		return nil
	})
	return errors.Join(inner, raw, conn.Close())
}
