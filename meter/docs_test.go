package meter

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"kyrochat/internal/required"
)

// metric is one as the registry knows it, or the page about it.
type metric struct {
	kind   string
	labels []string
}

var description = regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)

// registered are the server's own metrics.
func registered(t *testing.T) map[string]metric {
	t.Helper()
	all := map[string]metric{}
	for _, c := range New().own {
		descriptions := make(chan *prometheus.Desc, 100)
		c.Describe(descriptions)
		close(descriptions)
		for d := range descriptions {
			found := description.FindStringSubmatch(d.String())
			if found == nil {
				t.Fatalf("not understood: %s", d)
			}
			name := found[1]
			kind := "gauge"
			switch c.(type) {
			case *prometheus.CounterVec:
				kind = "counter"
			case *prometheus.HistogramVec, prometheus.Histogram:
				kind = "histogram"
			default:
				if strings.HasSuffix(name, "_total") {
					kind = "counter"
				}
			}
			if (kind == "counter") != strings.HasSuffix(name, "_total") || kind == "histogram" && !strings.HasSuffix(name, "_seconds") {
				t.Errorf("%s is no name for a %s", name, kind)
			}
			all[name] = metric{kind, sorted(strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' }))}
		}
	}
	return all
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var tableRow = regexp.MustCompile("(?m)^\\| `(kyrochat_[a-z_]+)` \\| ([a-z]+) \\|([^|]*)\\| (.+) \\|$")

// TestEveryMetricIsDocumented and none that is not there.
func TestEveryMetricIsDocumented(t *testing.T) {
	t.Parallel()
	there, documented := registered(t), map[string]bool{}
	for _, row := range tableRow.FindAllStringSubmatch(read(t, "../docs/metrics.md"), -1) {
		name, labels := row[1], sorted(strings.FieldsFunc(row[3], func(r rune) bool { return strings.ContainsRune("`, ", r) }))
		m, found := there[name]
		switch {
		case !found:
			t.Errorf("docs/metrics.md tells of %s, which is not there", name)
		case documented[name]:
			t.Errorf("docs/metrics.md tells of %s twice", name)
		case row[2] != m.kind || !slices.Equal(labels, m.labels):
			t.Errorf("%s is a %s with %v, docs/metrics.md says a %s with %v", name, m.kind, m.labels, row[2], labels)
		}
		documented[name] = true
	}
	for name := range there {
		if !documented[name] {
			t.Errorf("docs/metrics.md does not tell of %s", name)
		}
	}
}

// byPrometheus are those that a query may use of what Prometheus, its library and its node_exporter add.
func byPrometheus(t *testing.T) map[string]metric {
	t.Helper()
	all := map[string]metric{
		"up":                      {kind: "gauge"},
		"node_systemd_unit_state": {kind: "gauge", labels: []string{"name", "state", "type"}},
		"node_systemd_timer_last_trigger_seconds": {kind: "gauge", labels: []string{"name"}},
	}
	families, err := New().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), namespace) {
			all[family.GetName()] = metric{kind: strings.ToLower(family.GetType().String())}
		}
	}
	return all
}

var (
	used      = regexp.MustCompile(`\b((?:kyrochat|go|process|node)_[a-z_]+|up)\b(?:\{([^}]*)\})?`)
	matcher   = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping  = regexp.MustCompile(`\b(?:by|without)\s*\(([^)]*)\)`)
	ofTargets = []string{"instance", "job"} // labels that Prometheus adds
)

// checkQuery sees that the metrics of a query are there, with the labels that it names, and that steps of histograms are
// asked for of histograms only.
func checkQuery(t *testing.T, where, query string) {
	t.Helper()
	there, theirs := registered(t), byPrometheus(t)
	known := append([]string{"le"}, ofTargets...)
	uses := used.FindAllStringSubmatch(query, -1)
	if len(uses) == 0 {
		t.Errorf("%s uses no metric: %s", where, query)
	}
	for _, use := range uses {
		name, part := use[1], false
		m, found := there[name]
		if !found {
			m, found = theirs[name]
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, cut := strings.CutSuffix(name, suffix); cut && !found {
				m, found = there[base]
				part = true
			}
		}
		if !found || part != (m.kind == "histogram") {
			t.Errorf("%s uses %s, which is not there: %s", where, name, query)
			continue
		}
		for _, label := range matcher.FindAllStringSubmatch(use[2], -1) {
			if !slices.Contains(m.labels, label[1]) && !slices.Contains(ofTargets, label[1]) {
				t.Errorf("%s asks %s for the label %s, which it has not: %s", where, name, label[1], query)
			}
		}
		known = append(known, m.labels...)
	}
	for _, group := range grouping.FindAllStringSubmatch(query, -1) {
		for _, label := range strings.FieldsFunc(group[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(known, label) {
				t.Errorf("%s groups by %s, which nothing has that it uses: %s", where, label, query)
			}
		}
	}
}

// TestAlertsAskForWhatIsThere, and say what to do.
func TestAlertsAskForWhatIsThere(t *testing.T) {
	t.Parallel()
	rules := strings.Split(read(t, "../deploy/prometheus/alerts.yml"), "- alert: ")[1:]
	if len(rules) < 10 {
		t.Fatalf("only %d alerts were found", len(rules))
	}
	for _, rule := range rules {
		name, rest, _ := strings.Cut(rule, "\n")
		_, expression, found := strings.Cut(rest, "expr: ")
		expression, _, ends := strings.Cut(expression, "labels: {severity: ")
		if !found || !ends {
			t.Errorf("%s has no expression with a severity behind it", name)
			continue
		}
		checkQuery(t, name, expression)
		for _, told := range []string{"summary: \"", "runbook: \""} {
			if strings.Count(rule, told) != 1 {
				t.Errorf("%s needs one %s", name, told)
			}
		}
	}
}

// TestTheDashboardAsksForWhatIsThere in every panel.
func TestTheDashboardAsksForWhatIsThere(t *testing.T) {
	t.Parallel()
	var dashboard struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "../deploy/grafana/kyrochat.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	shown, ids := map[string]bool{}, map[int]bool{}
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] {
			t.Errorf("two panels have the id %d", panel.ID)
		}
		ids[panel.ID] = true
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("%s asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			checkQuery(t, panel.Title, target.Expr)
			for _, use := range used.FindAllStringSubmatch(target.Expr, -1) {
				shown[use[1]] = true
			}
		}
	}
	for name, m := range registered(t) {
		if m.kind == "histogram" {
			name += "_bucket"
		}
		if !shown[name] && !slices.Contains(notShown, name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// notShown are for alerts, or for who looks closer.
var notShown = []string{
	"kyrochat_build_info", "kyrochat_look_failures_total", "kyrochat_pool_waits_total", "kyrochat_job_turn_duration_seconds_bucket",
}

// TestPromtool has Prometheus' own tool read the rules, and try them on made-up figures.
func TestPromtool(t *testing.T) {
	t.Parallel()
	tool := required.Program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"check", "config", "prometheus.yml"}, {"test", "rules", "alerts_test.yml", "alerts_slow_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir = "../deploy/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
