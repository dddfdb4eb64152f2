package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/haechi-fraud/haechi/internal/app"
	"github.com/haechi-fraud/haechi/internal/project"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// payment is an event type with something of everything. Its model is one that LightGBM made on other data: what matters
// here is that it is a real one, fed with definitions of this event type.
const payment = `
event_type: payment
currency: EUR
entities:
  card: {}
  device: {optional: true}
attributes:
  channel: {type: category, values: [web, pos, atm]}
  note: {type: category}
  phone: {type: category, pii: true}
  vip: {type: flag}
numbers:
  risk: {}
  distance: {scale: 2}
labels:
  delay: 7d
  kinds: {chargeback: {arm_neutral: true}, review: {}}
features:
  amount: {field: amount}
  risk_now: {field: risk}
  card_gap: {time_since_last: events, by: card}
  card_count: {count: events, by: card, windows: [1h, 30d], include_current: true}
  card_fraud_share: {fraud_share: events, by: card, windows: [30d], delay: 0s}
policy:
  fallback: review
  hash_entity: card
  rules:
    - {name: cap, when: amount > 100000, then: challenge, reason: "Payment above 1,000"}
    - {name: atm, when: channel == "atm", then: decline, reason: "No cash machines"}
`

const paymentConfig = `listen: {grpc: "127.0.0.1:0", http: "127.0.0.1:0", admin: "127.0.0.1:0"}
log: {segment_bytes: 1MiB, min_free_bytes: 1MiB}
warehouse: {memory_limit: 64MiB, threads: 1}
pii_key_file: keys/pii.key
`

// files of a project whose registry holds two versions, the first of which is champion. Made once.
type paymentProject struct {
	files         map[string][]byte
	first, second string
}

var madeProject = sync.OnceValues(func() (*paymentProject, error) {
	dir, err := os.MkdirTemp("", "haechi-test-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p := &paymentProject{files: map[string][]byte{}}
	return p, errors.Join(p.make(dir), p.read(dir))
})

func (p *paymentProject) make(dir string) error {
	err := errors.Join(os.MkdirAll(filepath.Join(dir, "event_types"), 0o700), os.MkdirAll(filepath.Join(dir, "keys"), 0o700),
		os.WriteFile(filepath.Join(dir, "event_types", "payment.yaml"), []byte(payment), 0o600),
		os.WriteFile(filepath.Join(dir, "haechi.yaml"), []byte(paymentConfig), 0o600),
		project.WritePIIKey(filepath.Join(dir, "keys", "pii.key")))
	if err != nil {
		return err
	}
	ctx := context.Background()
	a, err := app.New(ctx, app.Options{Dir: dir, Command: "test", Self: self(), Logger: quiet()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Stop(ctx)) }()
	if p.first, err = importModel(ctx, a.Conn(), "binary", paymentFeatures()); err != nil {
		return err
	}
	if p.second, err = importModel(ctx, a.Conn(), "dart", paymentFeatures()); err != nil {
		return err
	}
	_, err = haechiv1.NewModelsClient(a.Conn()).PromoteModel(ctx, &haechiv1.PromoteModelRequest{Version: p.first, Actor: "tester", Reason: "the first"})
	return err
}

func (p *paymentProject) read(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			p.files[name], err = os.ReadFile(path)
		}
		return err
	})
}

// newPayments makes a project of its own for the test.
func newPayments(t *testing.T) (string, *paymentProject) {
	t.Helper()
	p, err := madeProject()
	require.NoError(t, err)
	dir := t.TempDir()
	for name, text := range p.files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
	return dir, p
}

// paymentFeatures says which definitions feed the columns of the models in model/testdata.
func paymentFeatures() map[string]string {
	return map[string]string{"amount": "amount", "age": "card_gap", "category": "risk_now", "count": "card_count_30d", "ratio": "card_fraud_share_30d"}
}

func modelText(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join("..", "..", "model", "testdata", name+".txt"))
}

func importModel(ctx context.Context, conn *grpc.ClientConn, name string, features map[string]string) (string, error) {
	text, err := modelText(name)
	if err != nil {
		return "", err
	}
	return importText(ctx, conn, text, features)
}

func importText(ctx context.Context, conn *grpc.ClientConn, text []byte, features map[string]string) (string, error) {
	stream, err := haechiv1.NewModelsClient(conn).ImportModel(ctx)
	if err != nil {
		return "", err
	}
	header := &haechiv1.ImportModelRequest_Header{
		EventType: "payment", Features: features, Actor: "tester", ReviewThreshold: proto.Float64(-2), DeclineThreshold: proto.Float64(1),
	}
	err = errors.Join(stream.Send(&haechiv1.ImportModelRequest{Part: &haechiv1.ImportModelRequest_Header_{Header: header}}),
		stream.Send(&haechiv1.ImportModelRequest{Part: &haechiv1.ImportModelRequest_Chunk{Chunk: text}}))
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	out, err := stream.CloseAndRecv()
	if err != nil {
		return "", err
	}
	return out.Model.Version, nil
}

// begin is the time at which the tests' payments begin: in the past, so that nothing is ahead of the clock.
var begin = sync.OnceValue(func() time.Time { return time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, -20) })

// pay is a payment of 50.00.
func pay(id, card string, at time.Time) *haechiv1.Event {
	return &haechiv1.Event{
		Type: "payment", Id: id, Time: timestamppb.New(at), Entities: map[string]string{"card": card},
		Amount: &haechiv1.Money{Currency: "EUR", MinorUnits: 5000}, Attributes: map[string]string{"channel": "web"},
		Numbers: map[string]float64{"risk": 3},
	}
}

func score(t *testing.T, conn *grpc.ClientConn, ev *haechiv1.Event) *haechiv1.Decision {
	t.Helper()
	d, err := scoreErr(t.Context(), conn, ev)
	require.NoError(t, err)
	return d
}

func scoreErr(ctx context.Context, conn *grpc.ClientConn, ev *haechiv1.Event) (*haechiv1.Decision, error) {
	out, err := haechiv1.NewScoringClient(conn).Score(ctx, &haechiv1.ScoreRequest{Event: ev, Options: &haechiv1.ScoreOptions{Features: true}})
	return out.GetDecision(), err
}

// value gives a feature of the decision's row; NaN when missing.
func value(t *testing.T, d *haechiv1.Decision, name string) float64 {
	t.Helper()
	for _, f := range d.Features {
		if f.Name == name {
			if f.Value == nil {
				return math.NaN()
			}
			return *f.Value
		}
	}
	require.Fail(t, "no such feature", "%s in %v", name, d.Features)
	return 0
}

// post sends a message to the REST side and gives the HTTP status and the body.
func post(t *testing.T, a *app.App, path string, m proto.Message) (int, string) {
	t.Helper()
	body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	require.NoError(t, err)
	return postText(t, a, path, body)
}

func postText(t *testing.T, a *app.App, path string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addresses().HTTP+path, bytes.NewReader(body))
	require.NoError(t, err)
	return do(t, req)
}

func get(t *testing.T, a *app.App, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.Addresses().HTTP+path, nil)
	require.NoError(t, err)
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	out, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, out.Body.Close()) }()
	text, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return out.StatusCode, string(text)
}

// metric sums the samples of a metric whose line contains all the words.
func metric(t *testing.T, a *app.App, name string, words ...string) float64 {
	t.Helper()
	code, text := get(t, a, "/metrics")
	require.Equal(t, http.StatusOK, code)
	sum := 0.0
lines:
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, name) {
			continue
		}
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		fields := strings.Fields(line)
		v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		require.NoError(t, err)
		sum += v
	}
	return sum
}

// requireCode wants an error of that code whose message has the words.
func requireCode(t *testing.T, want codes.Code, err error, words ...string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want.String(), status.Code(err).String(), "%v", err)
	for _, w := range words {
		require.ErrorContains(t, err, w)
	}
}

func noDecision(t *testing.T, conn *grpc.ClientConn, id string) {
	t.Helper()
	_, err := haechiv1.NewDecisionsClient(conn).GetDecision(t.Context(), &haechiv1.GetDecisionRequest{EventType: "payment", EventId: id})
	requireCode(t, codes.NotFound, err)
}

func number(prefix string, i int) string { return fmt.Sprintf("%s-%d", prefix, i) }
