package project_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/project"
)

// block is a fenced block of the page.
type block struct {
	kind string
	line int
	text []string
}

func blocksOf(t *testing.T, page string) []block {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var blocks []block
	open := false
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "```") && !open:
			blocks, open = append(blocks, block{kind: strings.TrimPrefix(line, "```"), line: i + 2}), true
		case strings.HasPrefix(line, "```"):
			open = false
		case open:
			last := &blocks[len(blocks)-1]
			last.text = append(last.text, line)
		}
	}
	return blocks
}

const docPolicy = "policy: {fallback: review, hash_entity: customer}\n"

// TestFeaturesPage runs every example of docs/features.md.
func TestFeaturesPage(t *testing.T) {
	var eventType string
	examples, refusals := 0, 0
	for _, b := range blocksOf(t, "../../docs/features.md") {
		t.Run(fmt.Sprintf("%s_line_%d", b.kind, b.line), func(t *testing.T) {
			switch b.kind {
			case "yaml":
				eventType = strings.Join(b.text, "\n") + "\n" + docPolicy
			case "example":
				examples++
				runExample(t, eventType, &b)
			case "refused":
				refusals++
				runRefusal(t, eventType, &b)
			default:
				t.Errorf("a block of kind %q is no example", b.kind)
			}
		})
	}
	require.Greater(t, examples, 10)
	require.NotZero(t, refusals)
}

// runRefusal holds what is said of features with mistakes to the lines that begin with =>.
func runRefusal(t *testing.T, eventType string, b *block) {
	var written, wanted []string
	for _, line := range b.text {
		if want, ok := strings.CutPrefix(line, "=> "); ok {
			wanted = append(wanted, want)
		} else {
			written = append(written, "  "+line)
		}
	}
	_, err := project.LoadEventType([]byte(eventType + "features:\n" + strings.Join(written, "\n") + "\n"))
	require.Error(t, err)
	var got []string
	above := strings.Count(eventType, "\n") + 1
	for _, line := range strings.Split(err.Error(), "\n") {
		at := regexp.MustCompile(`^event type document:(\d+):(\d+): (.*)$`).FindStringSubmatch(line)
		require.NotNil(t, at, line)
		row, _ := strconv.Atoi(at[1])
		column, _ := strconv.Atoi(at[2])
		got = append(got, fmt.Sprintf("%d:%d: %s", row-above, column-2, at[3]))
	}
	require.Len(t, got, len(wanted), strings.Join(got, "\n"))
	for i, want := range wanted {
		line, rest, _ := strings.Cut(want, ": ")
		require.True(t, strings.HasPrefix(got[i], line), "line %d of the page: %s, want %s", b.line+i, got[i], want)
		require.Contains(t, got[i], rest)
	}
}

// exampleRun is an event type with the features of an example, and the events so far.
type exampleRun struct {
	t        *testing.T
	schema   *features.Schema
	engine   *features.Engine
	clock    features.Clock
	sequence uint64
	events   []*features.Event
	at       []uint64
	vector   []float64
}

func runExample(t *testing.T, eventType string, b *block) {
	var written []string
	for _, line := range b.text {
		if line == "" {
			break
		}
		written = append(written, "  "+line)
	}
	loaded, err := project.LoadEventType([]byte(eventType + "features:\n" + strings.Join(written, "\n") + "\n"))
	require.NoError(t, err)
	engine, err := features.NewEngine(&loaded.Schema, loaded.Definitions, features.EngineOptions{})
	require.NoError(t, err)
	x := &exampleRun{t: t, schema: &loaded.Schema, engine: engine, vector: make([]float64, len(loaded.Definitions))}
	checked := 0
	for i, line := range b.text[len(written):] {
		where := fmt.Sprintf("line %d of the page: %s", b.line+len(written)+i, line)
		switch {
		case strings.HasPrefix(line, "at "):
			said, want, found := strings.Cut(line, "=>")
			require.True(t, found, where)
			checked += x.event(where, strings.Fields(said)[1:], strings.Fields(want))
		case strings.HasPrefix(line, "label "):
			x.label(where, strings.Fields(line))
		default:
			require.Empty(t, line, where)
		}
	}
	require.NotZero(t, checked)
}

func seconds(t *testing.T, text string) int64 {
	s, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return int64(math.Round(s * 1e6))
}

// label reads "label 1 fraud known 30".
func (x *exampleRun) label(where string, words []string) {
	require.Len(x.t, words, 5, where)
	n, err := strconv.Atoi(words[1])
	require.NoError(x.t, err, where)
	verdict := map[string]features.Verdict{"fraud": features.Fraud, "legitimate": features.Legitimate, "withdrawn": features.Withdrawn}[words[2]]
	require.NoError(x.t, x.engine.Label(x.events[n-1], x.at[n-1], func() (features.Label, error) {
		x.sequence++
		return features.Label{Sequence: x.sequence, Verdict: verdict, KnownAt: seconds(x.t, words[4])}, nil
	}))
}

// event reads "100 amount=5.50" and holds features and marks to what is wanted.
func (x *exampleRun) event(where string, words, wanted []string) int {
	ev := x.read(where, words)
	require.NoError(x.t, x.schema.Validate(ev), where)
	var placed features.Placement
	result, err := x.engine.Observe(ev, x.vector, func([]uint64) (features.Placement, error) {
		x.sequence++
		placed = features.Placement{Sequence: x.sequence, Outcome: x.clock.Admit(ev.Time, x.schema.AllowedLateness), Since: x.clock.Since(),
			Watermark: x.clock.Watermark()}
		return placed, nil
	})
	require.NoError(x.t, err, where)
	x.events, x.at = append(x.events, ev), append(x.at, placed.Sequence)
	marks := map[string]bool{"late": placed.Outcome == features.LateInserted, "dropped": placed.Outcome == features.LateDropped,
		"degraded": result.Degraded}
	checked := 0
	for _, want := range wanted {
		if strings.ContainsAny(want, "=~") {
			x.value(where, want)
			checked++
			continue
		}
		if want == "incomplete" {
			require.False(x.t, result.Complete, where)
			continue
		}
		require.True(x.t, marks[want], "%s: %s", where, want)
		delete(marks, want)
	}
	for mark, is := range marks {
		require.False(x.t, is, "%s: it is %s", where, mark)
	}
	return checked
}

// value holds one feature to "name=1.5", "name~1.5" (nearly) or "name=missing".
func (x *exampleRun) value(where, want string) {
	at := strings.IndexAny(want, "=~")
	name, text := want[:at], want[at+1:]
	for i, d := range x.engine.Definitions() {
		if d.Name != name {
			continue
		}
		got := x.vector[i]
		if text == "missing" {
			require.True(x.t, math.IsNaN(got), "%s: %s is %v", where, name, got)
			return
		}
		number, err := strconv.ParseFloat(text, 64)
		require.NoError(x.t, err, where)
		if want[at] == '~' {
			require.InEpsilon(x.t, number, got, 1e-6, "%s: %s", where, name)
			return
		}
		require.Equal(x.t, math.Float64bits(number), math.Float64bits(got), "%s: %s is %v", where, name, got)
		return
	}
	x.t.Errorf("%s: no feature is called %s", where, name)
}

func (x *exampleRun) read(where string, words []string) *features.Event {
	ev := &features.Event{ID: "e", Time: seconds(x.t, words[0]), Amount: 100, Entities: make([]string, len(x.schema.Entities)),
		Attributes: make([]string, len(x.schema.Attributes)), Numbers: make([]float64, len(x.schema.Numbers))}
	for i := range ev.Numbers {
		ev.Numbers[i] = math.NaN()
	}
	for _, word := range append([]string{"customer=c", "terminal=t"}, words[1:]...) {
		name, value, found := strings.Cut(word, "=")
		require.True(x.t, found, where)
		require.True(x.t, x.set(ev, name, value), "%s: no field is called %s", where, name)
	}
	return ev
}

func (x *exampleRun) set(ev *features.Event, name, value string) bool {
	if name == "amount" {
		ev.Amount = seconds(x.t, value) / 1e4 // cents of what has six decimals
		return true
	}
	for i, e := range x.schema.Entities {
		if e.Name == name {
			ev.Entities[i] = value
			return true
		}
	}
	for i, a := range x.schema.Attributes {
		if a.Name == name {
			ev.Attributes[i] = value
			return true
		}
	}
	for i, n := range x.schema.Numbers {
		if n.Name == name {
			number, err := strconv.ParseFloat(value, 64)
			require.NoError(x.t, err)
			ev.Numbers[i] = number
			return true
		}
	}
	return false
}
