package project_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/project"
)

// folder writes a project of these files, name -> text.
func folder(t testing.TB, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func small(t testing.TB) string {
	text, err := os.ReadFile(filepath.Join("testdata", "small.yaml"))
	require.NoError(t, err)
	return string(text)
}

// requireViolations holds the violations of err against lines "FILE:line:col: path: part of the problem", all of them and
// in order; FILE is relative to dir.
func requireViolations(t testing.TB, err error, dir string, want ...string) {
	var got project.Violations
	require.True(t, errors.As(err, &got), "%v", err)
	said := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	require.Len(t, got, len(want), said)
	for i := range want {
		line := strings.TrimPrefix(got[i].String(), dir+string(filepath.Separator))
		at, problem, _ := strings.Cut(want[i], " ~ ")
		require.True(t, strings.HasPrefix(line, at+": "), "want %s\ngot  %s\nof\n%s", at, line, said)
		require.Contains(t, line, problem, said)
	}
}

func TestEverythingWrongAtOnce(t *testing.T) {
	dir := folder(t, map[string]string{
		"haechi.yaml": `listen:
  grpc: 0.0.0.0:7461
  http: localhost
  admin: 127.0.0.1:9
  gprc: x
data: data
data: elsewhere
log: {min_free_bytes: lots, segment_bytes: 5, flush_interval: 2s, retain: 1h}
warehouse: {driver: postgres, threads: two, memory_limit: 1MiB}
registry: [sqlite]
max_skew: 5 minutes
pii_key_file: data/pii.key
training: {nice: 40}
audit: {one_in: 0, share: 2.5}
`,
		"event_types/payment.yaml": `event_type: payment
currency: EURO
entities:
  customer: {pii: yes}
  Terminal: {}
  raw: {}
attributes:
  channel: {type: kategory}
  amount: {type: flag, values: [a]}
  gender: {values: [F, M, F], segmnt: true}
numbers:
  km: {scale: 12}
  km: {scale: -3, pii: true}
labels:
  kinds: {}
features:
  total: {field: amout}
  shop_count: {count: events, by: shop, windows: [1d], include_current: true}
lists:
  empty: []
policy:
  fallback: approve
  rules:
    - {name: cap, when: amount > "x", then: dcline}
reasons:
  "[": x
`,
		"event_types/broken.yaml": "event_type: [a\n",
		"event_types/other.yml":   "",
		"event_types/empty.yaml":  "# nothing\n",
	})
	_, err := project.Load(dir)
	requireViolations(t, err, dir,
		"event_types/broken.yaml:1:13 ~ not YAML",
		"event_types/empty.yaml:1:1 ~ the file is empty",
		"event_types/other.yml ~ call it other.yaml",
		`event_types/payment.yaml:2:11: currency ~ "EURO" is not an ISO 4217 code`,
		"event_types/payment.yaml:4:19: entities.customer.pii ~ true or false is expected here, not text",
		`event_types/payment.yaml:5:3: entities.Terminal ~ "Terminal" is not a name; use lower-case letters`,
		"event_types/payment.yaml:6:3: entities.raw ~ means something else in rules",
		`event_types/payment.yaml:8:19: attributes.channel.type ~ "kategory" is not a type of attribute; write category or flag`,
		"event_types/payment.yaml:9:3: attributes.amount ~ means something else in rules",
		`event_types/payment.yaml:10:3: attributes.gender ~ value "F" is listed twice`,
		"event_types/payment.yaml:10:31: attributes.gender.segmnt ~ unknown key; did you mean segment?",
		"event_types/payment.yaml:12:3: numbers.km ~ scale 12 is outside 0 to 9",
		"event_types/payment.yaml:13:3: numbers.km ~ declared a second time (first on line 12)",
		"event_types/payment.yaml:14:1: labels.delay ~ say how long after an event",
		"event_types/payment.yaml:15:3: labels.kinds ~ declare the kinds of labels",
		`event_types/payment.yaml:17:18: features.total.field ~ "amout"`,
		`event_types/payment.yaml:18:35: features.shop_count.by ~ "shop"`,
		"event_types/payment.yaml:20:3: lists.empty ~ names no feature",
		"event_types/payment.yaml:21:1: policy.hash_entity ~ name the entity that is attacked",
		"event_types/payment.yaml:22:13: policy.fallback ~ write review, challenge or decline",
		"event_types/payment.yaml:24:32: policy.rules[0].when ~ no matching overload",
		`event_types/payment.yaml:24:45: policy.rules[0].then ~ "dcline" is not a decision`,
		`event_types/payment.yaml:26:3: reasons.[ ~ is not a feature's name`,
		"haechi.yaml:2:9: listen.grpc ~ can be reached from other machines",
		`haechi.yaml:3:9: listen.http ~ "localhost" is not an address`,
		"haechi.yaml:5:3: listen.gprc ~ unknown key; did you mean grpc?",
		"haechi.yaml:7:1: data ~ declared a second time (first on line 6)",
		`haechi.yaml:8:23: log.min_free_bytes ~ "lots" is not a size`,
		"haechi.yaml:8:44: log.segment_bytes ~ between 1MiB and 2GiB",
		"haechi.yaml:8:63: log.flush_interval ~ at most 1s",
		"haechi.yaml:8:75: log.retain ~ at least 1d",
		`haechi.yaml:9:21: warehouse.driver ~ "postgres" is not a driver of this build; write duckdb`,
		"haechi.yaml:9:40: warehouse.threads ~ a whole number is expected here, not text",
		"haechi.yaml:9:59: warehouse.memory_limit ~ 64MiB",
		"haechi.yaml:10:11: registry ~ names with values are expected here (name: value), not a list",
		`haechi.yaml:11:11: max_skew ~ "5 minutes" is not a length of time`,
		"haechi.yaml:12:15: pii_key_file ~ must lie outside the data folder",
		"haechi.yaml:13:18: training.nice ~ between 0 and 19",
		"haechi.yaml:14:17: audit.one_in ~ at least 1",
		"haechi.yaml:14:27: audit.share ~ more than 0 and at most 1",
	)
}

// Each change to a sound event type gives exactly these violations, as line:col: path: problem.
func TestEventTypeViolations(t *testing.T) {
	const sound = `event_type: payment
currency: EUR
entities: {customer: {}, device: {optional: true}}
attributes:
  band: {values: [under_18, 18_and_over]}
  vip: {type: flag}
labels: {delay: 7d, kinds: {chargeback: {}}}
features:
  amount: {field: amount}
  n: {count: events, by: customer, windows: [1d, 7d], include_current: true}
lists: {few: [amount, n_1d]}
train: {features: "@few", span: 28d, validation: 7d, params: {max_bin: 255}}
policy:
  fallback: review
  hash_entity: customer
  rules:
    - {name: cap, when: amount > 5, then: decline}
import:
  id: id
  time: {column: at, format: unix}
  entities: {customer: who}
  amount: {column: eur, unit: major}
  attributes:
    band: {from: people.dob, bands: [18]}
    vip: {from: vip, values: {1: true, 0: false}}
  label: {column: bad, fraud: 1, kind: chargeback}
  lookup: {people: {key: who}}
`
	_, err := project.LoadEventType([]byte(sound))
	require.NoError(t, err)
	for _, c := range []struct{ old, new, want string }{
		{"event_type: payment", "event_type: 7", "1:13: event_type ~ text is expected here, not a number"},
		{"currency: EUR", "currency: eur", "2:11: currency ~ ISO 4217"},
		{"currency: EUR", "curency: EUR", "2:1: curency ~ did you mean currency?|9:19: features.amount.field ~ declares no currency|22:3: import.amount ~ has no currency"},
		{"  vip: {type: flag}", "  vip: {type: flag, values: [a]}", "6:3: attributes.vip ~ a flag has no values"},
		{"delay: 7d", "delay: 7days", `7:17: labels.delay ~ "7days" is not a length of time`},
		{"by: customer, windows", "by: client, windows", `10:26: features.n.by ~ "client"`},
		{"include_current: true", "include_curent: true", "10:3: features.n.include_current ~ is missing|10:55: features.n.include_curent ~ did you mean include_current?"},
		{"[amount, n_1d]", "[amount, n]", "11:23: lists.few[1] ~ n has windows and makes one feature each; name them: n_1d, n_7d"},
		{"[amount, n_1d]", "[amount, amount]", "11:23: lists.few[1] ~ in the list already"},
		{"[amount, n_1d]", "[amount, n_2d]", "11:23: lists.few[1] ~ did you mean n_1d?"},
		{`"@few"`, `"@feu"`, `12:19: train.features ~ no list is called "feu"`},
		{`"@few"`, "[n_1d, m]", "12:26: train.features[1] ~ no feature is called m"},
		{"max_bin: 255", "num_threads: 2", "12:63: train.params.num_threads ~ training.threads in haechi.yaml"},
		{"max_bin: 255", "objective: rf", "12:63: train.params.objective ~ set by the trainer"},
		{"validation: 7d", "validation: 28d", "12:50: train.validation ~ must be shorter than train.span"},
		{"fallback: review", "fallback: approve", "14:13: policy.fallback ~ approve would let everything through"},
		{"hash_entity: customer", "hash_entity: device", `15:16: policy.hash_entity ~ "device" is optional`},
		{"when: amount > 5", "when: n > 5", "17:25: policy.rules[0].when ~ undeclared reference to 'n'"},
		{"when: amount > 5", `when: "amount > n_1d && n_9d > 1.0"`, "17:43: policy.rules[0].when ~ undeclared reference to 'n_9d'"},
		{"when: amount > 5", "when: amount", "17:25: policy.rules[0].when ~ must give true or false"},
		{"name: cap, ", "", "17:7: policy.rules[0].name ~ give the rule a name"},
		{"  id: id\n", "", "18:1: import.id ~ name the column"},
		{"format: unix}", "format: epoch}", `20:30: import.time.format ~ "epoch" is not a time format`},
		{"format: unix}", "format: unix, zone: Mars/Base}", "20:42: import.time.zone ~ is not a time zone"},
		{"{customer: who}", "{device: dev}", "21:3: import.entities ~ customer is required and has no column"},
		{"{customer: who}", "{customer: who, shop: s}", "21:29: import.entities.shop ~ shop is not declared under entities"},
		{"unit: major", "unit: cents", "22:31: import.amount.unit ~ write major for amounts such as 57.16"},
		{"  amount: {column: eur, unit: major}\n", "", "18:1: import ~ its events need an amount"},
		{"bands: [18]", "bands: [21]", "24:30: import.attributes.band.bands ~ makes the value 21_and_over|24:30: import.attributes.band.bands ~ makes the value under_21"},
		{"bands: [18]", "bands: [18, 5]", "24:30: import.attributes.band.bands ~ ascending order"},
		{"1: true, 0: false", "1: yes", "25:34: import.attributes.vip.values.1 ~ translate to true or false"},
		{"fraud: 1,", "fraud: 1, legitimate: [0, 1],", "26:34: import.label.legitimate ~ \"1\" means fraud already"},
		{"kind: chargeback", "kind: guess", `26:40: import.label.kind ~ "guess" is not a kind`},
		{"{key: who}", "{file: p.csv}", "27:12: import.lookup.people ~ name the column that both files share"},
		{"lists: {few: [amount, n_1d]}", "lists: *few", "11:8 ~ anchors, aliases and merges are not read"},
		{"event_type: payment", "---\na: 1\n---\nevent_type: payment", "3:1 ~|"},
	} {
		text := strings.Replace(sound, c.old, c.new, 1)
		require.NotEqual(t, sound, text, c.old)
		_, err := project.LoadEventType([]byte(text))
		require.Error(t, err, c.new)
		if strings.HasSuffix(c.want, "|") {
			continue
		}
		var want []string
		for _, w := range strings.Split(c.want, "|") {
			want = append(want, "event type document:"+w)
		}
		t.Run(c.new, func(t *testing.T) { requireViolations(t, err, "-", want...) })
	}
}

func TestDefaults(t *testing.T) {
	dir := folder(t, map[string]string{"haechi.yaml": "", "event_types/login.yaml": small(t)})
	p, err := project.Load(dir)
	require.NoError(t, err)
	require.Equal(t, project.Config{
		Listen:        project.Listen{GRPC: "127.0.0.1:7461", HTTP: "127.0.0.1:7462", Admin: "127.0.0.1:7463"},
		Data:          filepath.Join(dir, "data"),
		Log:           project.LogConfig{MinFreeBytes: 256 << 20, Compress: true},
		Warehouse:     project.Warehouse{Driver: "duckdb"},
		Registry:      project.Registry{Driver: "sqlite"},
		MaxSkew:       5 * 60e9,
		Training:      project.Training{Nice: 10},
		SnapshotEvery: 10 * time.Minute,
		Audit:         project.Audit{Every: 6 * time.Hour, OneIn: 100, Share: .05},
	}, p.Config)
	key, err := p.PIIKey()
	require.NoError(t, err)
	require.Nil(t, key)
	_, ok := p.EventType("")
	require.True(t, ok)
	_, ok = p.EventType("payment")
	require.False(t, ok)
}

func TestCardNumbersAreRefusedWhenAsked(t *testing.T) {
	p, err := project.Load(folder(t, map[string]string{"haechi.yaml": "refuse_card_numbers: true", "event_types/login.yaml": small(t)}))
	require.NoError(t, err)
	require.True(t, p.Config.RefuseCardNumbers)
}

func TestNotAProject(t *testing.T) {
	dir := t.TempDir()
	_, err := project.Load(dir)
	require.ErrorContains(t, err, "haechi init "+dir)
	_, err = project.Load(filepath.Join(dir, "nowhere"))
	require.ErrorContains(t, err, "is not a folder; make a project there: haechi init")
	dir = folder(t, map[string]string{"haechi.yaml": "data: d\n"})
	_, err = project.Load(dir)
	requireViolations(t, err, dir, "event_types ~ holds no event type")
}

func TestTwoFilesOneName(t *testing.T) {
	dir := folder(t, map[string]string{"haechi.yaml": "", "event_types/a.yaml": small(t), "event_types/b.yaml": small(t)})
	_, err := project.Load(dir)
	requireViolations(t, err, dir, "event_types/b.yaml:1:13: event_type ~ login is declared in")
}

func TestHashDependsOnMeaningOnly(t *testing.T) {
	load := func(text string) *project.EventType {
		et, err := project.LoadEventType([]byte(text))
		require.NoError(t, err, text)
		return et
	}
	base := load(small(t))
	same := load(`# the same, written otherwise
policy:
    hash_entity: "user"
    fallback: 'review'      # for now
features:
    logins: {windows: ["1d"], by: user, include_current: true, count: events}
cap: 65536
allowed_lateness: 168h
labels:
  kinds:
    report:
  delay: 7d
entities:
  user:
    optional: false
event_type: login
`)
	require.Equal(t, base.Hash, same.Hash)
	require.Equal(t, base, same)
	for _, change := range [][2]string{{"1d", "2d"}, {"7d", "8d"}, {"review", "decline"}, {"{user: {}}", "{user: {}, device: {}}"}, {"login\n", "logon\n"}} {
		text := strings.Replace(small(t), change[0], change[1], 1)
		require.NotEqual(t, base.Hash, load(text).Hash, change)
	}
}

func TestFeaturesKeepTheOrderOfTheFile(t *testing.T) {
	names := []string{"zeta", "alpha", "mid", "beta"}
	var features string
	for i, n := range names {
		features += fmt.Sprintf("  %s: {count: events, by: user, windows: [%dd], include_current: true}\n", n, i+1)
	}
	text := strings.Replace(small(t), "features: {logins: {count: events, by: user, windows: [1d], include_current: true}}", "features:\n"+features, 1)
	et, err := project.LoadEventType([]byte(text))
	require.NoError(t, err)
	back, err := project.LoadEventType(et.Document)
	require.NoError(t, err)
	require.Equal(t, et.Train.Features, back.Train.Features)
	require.Equal(t, []string{"zeta_1d", "alpha_2d", "mid_3d", "beta_4d"}, back.Train.Features)
}

func TestPIIKey(t *testing.T) {
	secret := strings.Replace(small(t), "{user: {}}", "{user: {pii: true}}", 1)
	dir := folder(t, map[string]string{"haechi.yaml": "", "event_types/login.yaml": secret})
	_, err := project.Load(dir)
	requireViolations(t, err, dir, "haechi.yaml:1:1: pii_key_file ~ entities.user flagged pii and no key is named; write pii_key_file: keys/pii.key")

	config := filepath.Join(dir, "haechi.yaml")
	require.NoError(t, os.WriteFile(config, []byte("pii_key_file: keys/pii.key\n"), 0o600))
	_, err = project.Load(dir)
	requireViolations(t, err, dir, "haechi.yaml:1:15: pii_key_file ~ no key at")

	key := filepath.Join(dir, project.DefaultKeyFile)
	require.NoError(t, project.WritePIIKey(key))
	p, err := project.Load(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"entities.user"}, p.EventTypes[0].PIIFields())
	first, err := p.PIIKey()
	require.NoError(t, err)
	require.Len(t, first, 32)
	info, err := os.Stat(key)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.ErrorIs(t, project.WritePIIKey(key), os.ErrExist, "a key is never replaced")

	require.NoError(t, os.Chmod(key, 0o644))
	_, err = project.Load(dir)
	requireViolations(t, err, dir, "haechi.yaml:1:15: pii_key_file ~ can be read by others (mode 0644)")
	require.NoError(t, os.Chmod(key, 0o600))
	require.NoError(t, os.WriteFile(key, []byte("short"), 0o600))
	_, err = project.Load(dir)
	requireViolations(t, err, dir, "haechi.yaml:1:15: pii_key_file ~ has 5 bytes and needs 32")
}
