package simulate

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Export says what of the world a file holds.
type Export struct {
	From, To int64 // events of [From, To), microseconds since the Unix epoch; To 0 = to the end
	// KnownBy leaves is_fraud, scenario and label_known_at empty where the verdict is known only later, as in an export made
	// at that moment, microseconds since the Unix epoch. 0 = everything is written.
	KnownBy int64
	Seconds bool // whole seconds since the Unix epoch instead of microseconds, for times and label_known_at
}

// header names the columns of WriteEvents. is_fraud is 1 or 0; scenario is the number of a Scenario; amount is in major units.
const header = "tx_id,unix_time,customer_id,terminal_id,amount,country,age_band,customer_x,customer_y,terminal_x,terminal_y,is_fraud,scenario,label_known_at\n"

// WriteEvents writes events as CSV with a header, in order of time.
func (w *World) WriteEvents(to io.Writer, x Export) error {
	out := bufio.NewWriterSize(to, 1<<16)
	out.WriteString(header) // a bufio.Writer keeps its first error for Flush
	var line []byte
	for _, e := range w.exported(x) {
		line = w.row(line[:0], &e, x)
		out.Write(line)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the simulated events: %w", err)
	}
	return nil
}

func (w *World) exported(x Export) []Event {
	to := x.To
	if to == 0 {
		to = w.day(w.config.Days)
	}
	return w.Between(x.From, to)
}

func (w *World) row(line []byte, e *Event, x Export) []byte {
	c, t := &w.customers[e.Customer], &w.terminals[e.Terminal]
	line = append(strconv.AppendInt(line, e.ID, 10), ',')
	line = append(x.time(line, e.Time), ',')
	line = append(strconv.AppendInt(line, int64(c.ID), 10), ',')
	line = append(strconv.AppendInt(line, int64(t.ID), 10), ',')
	line = append(appendAmount(line, e.Amount), ',')
	line = append(append(line, c.Country...), ',')
	line = append(append(line, c.AgeBand...), ',')
	for _, v := range [...]float64{c.X, c.Y, t.X, t.Y} {
		line = append(strconv.AppendFloat(line, v, 'f', 3, 64), ',')
	}
	if x.KnownBy != 0 && e.KnownAt > x.KnownBy {
		return append(line, ",,\n"...)
	}
	verdict := byte('0')
	if e.Fraud() {
		verdict = '1'
	}
	line = append(line, verdict, ',')
	line = append(strconv.AppendUint(line, uint64(e.Scenario), 10), ',')
	return append(x.time(line, e.KnownAt), '\n')
}

func (x Export) time(line []byte, us int64) []byte {
	if x.Seconds {
		us /= 1_000_000
	}
	return strconv.AppendInt(line, us, 10)
}

// appendAmount writes minor units as major ones with two decimals.
func appendAmount(line []byte, minor int64) []byte {
	line = append(strconv.AppendInt(line, minor/100, 10), '.')
	return append(line, byte('0'+minor%100/10), byte('0'+minor%10))
}

// WriteLabels writes the frauds' verdicts that become known in [From, To) as CSV with the columns tx_id, verdict, kind and
// known_at, in the order in which they become known. To 0 = all that is left.
func (w *World) WriteLabels(to io.Writer, x Export) error {
	out := bufio.NewWriterSize(to, 1<<16)
	out.WriteString("tx_id,verdict,kind,known_at\n")
	var line []byte
	for _, l := range w.labels {
		if l.KnownAt < x.From || x.To != 0 && l.KnownAt >= x.To || x.KnownBy != 0 && l.KnownAt > x.KnownBy {
			continue
		}
		line = strconv.AppendInt(line[:0], l.Event, 10)
		line = append(line, ",fraud,chargeback,"...)
		out.Write(append(x.time(line, l.KnownAt), '\n'))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the simulated labels: %w", err)
	}
	return nil
}

// WriteFile writes by one of the writers above to a new file, compressed when its name ends in .gz. The bytes are the same every time.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write a simulated file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if !strings.HasSuffix(path, ".gz") {
		return write(file)
	}
	zipped, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return errors.Join(write(zipped), zipped.Close())
}
