package project

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// Config is haechi.yaml with its defaults filled in and its paths made absolute.
type Config struct {
	Listen    Listen
	Data      string    // folder of the log, the stores and the lock file
	Log       LogConfig // event log
	Warehouse Warehouse // history for training and for people
	Registry  Registry  // model versions and who serves
	// RefuseCardNumbers refuses events with what looks like a card number in clear; otherwise they are counted and warned of.
	RefuseCardNumbers bool
	MaxSkew           time.Duration // an event further ahead of the receiver's clock is refused
	PIIKeyFile        string        // key that hashes fields flagged pii; "" when none is used
	Training          Training      // bounds of a retrain beside a serving process
	SnapshotEvery     time.Duration // how often the state is written, so that a start reads the log from there on; 0: never
	Audit             Audit         // the server's background check of decisions against the log
}

// Listen holds the server's addresses, all of them loopback.
type Listen struct{ GRPC, HTTP, Admin string }

// LogConfig tunes the event log; zero values leave the choice to the log.
type LogConfig struct {
	SegmentBytes  int64
	MinFreeBytes  int64         // below this much free disk nothing more is accepted
	FlushInterval time.Duration // 0: a new group is written as soon as the previous one is on disk
	Compress      bool          // pack segments that are full
	Retain        time.Duration // how far back decisions can be replayed; what is older still is dropped once the warehouse has it; 0: nothing is
}

// Warehouse names the driver and bounds it.
type Warehouse struct {
	Driver      string // duckdb
	MemoryLimit int64  // bytes; 0 = the driver's choice
	Threads     int    // 0 = all cores
}

// Registry names the driver.
type Registry struct{ Driver string } // sqlite

// Training bounds the child processes that train.
type Training struct {
	Threads int   // 0 = all cores
	Memory  int64 // bytes; 0 = no bound
	Nice    int   // 0 to 19
}

// Audit says how often decisions are computed again from the log, how many of them, and at what cost.
type Audit struct {
	Every time.Duration // 0: never
	OneIn int           // one decision in so many
	Share float64       // of one core
}

type rawConfig struct {
	Listen struct {
		GRPC  string `yaml:"grpc"`
		HTTP  string `yaml:"http"`
		Admin string `yaml:"admin"`
	} `yaml:"listen"`
	Data string `yaml:"data"`
	Log  struct {
		SegmentBytes  size     `yaml:"segment_bytes"`
		MinFreeBytes  *size    `yaml:"min_free_bytes"`
		FlushInterval duration `yaml:"flush_interval"`
		Compress      *bool    `yaml:"compress"`
		Retain        duration `yaml:"retain"`
	} `yaml:"log"`
	Warehouse struct {
		Driver      string `yaml:"driver"`
		MemoryLimit size   `yaml:"memory_limit"`
		Threads     int    `yaml:"threads"`
	} `yaml:"warehouse"`
	Registry struct {
		Driver string `yaml:"driver"`
	} `yaml:"registry"`
	MaxSkew           *duration `yaml:"max_skew"`
	RefuseCardNumbers bool      `yaml:"refuse_card_numbers"`
	PIIKeyFile        string    `yaml:"pii_key_file"`
	Training          struct {
		Threads int  `yaml:"threads"`
		Memory  size `yaml:"memory"`
		Nice    *int `yaml:"nice"`
	} `yaml:"training"`
	Snapshots struct {
		Every *duration `yaml:"every"`
	} `yaml:"snapshots"`
	Audit struct {
		Every *duration `yaml:"every"`
		OneIn *int      `yaml:"one_in"`
		Share *float64  `yaml:"share"`
	} `yaml:"audit"`
}

// Defaults of haechi.yaml.
const (
	defaultGRPC     = "127.0.0.1:7461"
	defaultHTTP     = "127.0.0.1:7462"
	defaultAdmin    = "127.0.0.1:7463"
	defaultData     = "data"
	defaultMinFree  = 256 << 20
	defaultMaxSkew  = 5 * time.Minute
	defaultNice     = 10
	defaultSnapshot = 10 * time.Minute
	defaultAudit    = 6 * time.Hour
	defaultOneIn    = 100
	defaultShare    = 0.05
	minSegmentBytes = 1 << 20
	maxSegmentBytes = 2 << 30
)

// readConfig reads haechi.yaml; dir is the absolute project folder.
func readConfig(dir string, d *document) Config {
	var raw rawConfig
	d.decode(&raw)
	c := Config{
		Listen:            Listen{or(raw.Listen.GRPC, defaultGRPC), or(raw.Listen.HTTP, defaultHTTP), or(raw.Listen.Admin, defaultAdmin)},
		Data:              under(dir, or(raw.Data, defaultData)),
		Log:               LogConfig{int64(raw.Log.SegmentBytes), defaultMinFree, micros(raw.Log.FlushInterval), raw.Log.Compress == nil || *raw.Log.Compress, micros(raw.Log.Retain)},
		Warehouse:         Warehouse{or(raw.Warehouse.Driver, "duckdb"), int64(raw.Warehouse.MemoryLimit), raw.Warehouse.Threads},
		Registry:          Registry{or(raw.Registry.Driver, "sqlite")},
		MaxSkew:           defaultMaxSkew,
		RefuseCardNumbers: raw.RefuseCardNumbers,
		Training:          Training{raw.Training.Threads, int64(raw.Training.Memory), defaultNice},
		SnapshotEvery:     defaultSnapshot,
		Audit:             Audit{defaultAudit, defaultOneIn, defaultShare},
	}
	if raw.Log.MinFreeBytes != nil {
		c.Log.MinFreeBytes = int64(*raw.Log.MinFreeBytes)
	}
	if raw.MaxSkew != nil {
		c.MaxSkew = micros(*raw.MaxSkew)
	}
	if raw.Training.Nice != nil {
		c.Training.Nice = *raw.Training.Nice
	}
	if raw.Snapshots.Every != nil {
		c.SnapshotEvery = micros(*raw.Snapshots.Every)
	}
	if raw.Audit.Every != nil {
		c.Audit.Every = micros(*raw.Audit.Every)
	}
	if raw.Audit.OneIn != nil {
		c.Audit.OneIn = *raw.Audit.OneIn
	}
	if raw.Audit.Share != nil {
		c.Audit.Share = *raw.Audit.Share
	}
	if raw.PIIKeyFile != "" {
		c.PIIKeyFile = under(dir, raw.PIIKeyFile)
	}
	c.check(d)
	return c
}

func (c *Config) check(d *document) {
	checkListen(d, c.Listen)
	if n := c.Log.SegmentBytes; n != 0 && (n < minSegmentBytes || n > maxSegmentBytes) {
		d.report("log.segment_bytes", "must lie between 1MiB and 2GiB; leave it out for 256MiB")
	}
	if c.Log.FlushInterval > time.Second {
		d.report("log.flush_interval", "every answer waits this long; write at most 1s, or leave it out")
	}
	if c.Log.Retain != 0 && c.Log.Retain < 24*time.Hour {
		d.report("log.retain", "is how far back decisions can be replayed: write at least 1d, or leave it out to keep everything")
	}
	if c.Warehouse.Driver != "duckdb" {
		d.report("warehouse.driver", "%q is not a driver of this build; write duckdb", c.Warehouse.Driver)
	}
	if c.Registry.Driver != "sqlite" {
		d.report("registry.driver", "%q is not a driver of this build; write sqlite", c.Registry.Driver)
	}
	if n := c.Warehouse.MemoryLimit; n != 0 && n < 64<<20 {
		d.report("warehouse.memory_limit", "the warehouse cannot work below 64MiB; give it more or leave it out")
	}
	if c.Audit.OneIn < 1 {
		d.report("audit.one_in", "must be at least 1, which is every decision; audit.every: 0s switches the audit off")
	}
	if c.Audit.Share <= 0 || c.Audit.Share > 1 {
		d.report("audit.share", "is a part of one core: write more than 0 and at most 1")
	}
	if c.MaxSkew > 24*time.Hour {
		d.report("max_skew", "a clock that is off by more than a day is broken; write at most 1d")
	}
	for _, n := range []struct {
		path  string
		value int
		most  int
	}{{"warehouse.threads", c.Warehouse.Threads, 1024}, {"training.threads", c.Training.Threads, 1024}, {"training.nice", c.Training.Nice, 19}} {
		if n.value < 0 || n.value > n.most {
			d.report(n.path, "must lie between 0 and %d", n.most)
		}
	}
	if c.PIIKeyFile != "" && inside(c.Data, c.PIIKeyFile) {
		d.report("pii_key_file", "the key must lie outside the data folder, so that a copy of the data does not carry it; write keys/pii.key")
	}
}

func checkListen(d *document, l Listen) {
	seen := map[string]string{}
	for _, a := range []struct{ name, address string }{{"grpc", l.GRPC}, {"http", l.HTTP}, {"admin", l.Admin}} {
		path := "listen." + a.name
		host, port, err := net.SplitHostPort(a.address)
		if _, perr := net.LookupPort("tcp", port); err != nil || perr != nil || strings.Trim(port, "0123456789") != "" {
			d.report(path, "%q is not an address; write host:port, such as 127.0.0.1:7461", a.address)
			continue
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			d.report(path, "%q can be reached from other machines, which needs TLS and tokens; they come later. Write 127.0.0.1:%s and put a proxy in front", a.address, port)
		}
		if other, twice := seen[a.address]; twice && port != "0" {
			d.report(path, "%q is listen.%s already; give each its own port", a.address, other)
		}
		seen[a.address] = a.name
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// inside says whether path lies in folder, symbolic links resolved where they exist.
func inside(folder, path string) bool {
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		folder = real
	}
	if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(real, filepath.Base(path))
	}
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func micros(d duration) time.Duration { return time.Duration(d) * time.Microsecond }

// String names the addresses.
func (l Listen) String() string {
	return fmt.Sprintf("grpc %s, http %s, admin %s", l.GRPC, l.HTTP, l.Admin)
}
