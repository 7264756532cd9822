// Package meter counts and times what the server does, and shows it to Prometheus. It is the only package that knows of
// Prometheus: what is measured tells it by the plain functions in the settings of each part, and what has a state of its
// own (pools, jobs, breakers) is asked when somebody looks.
//
// No label ever holds a word that a client chose, or anything that grows with people, bots or documents. Operations are
// told apart by the fields of the contract, everything else by words of the code. docs/metrics.md lists all metrics.
package meter

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Build says what runs.
type Build struct {
	Version, Go, Role, Database, Live string
}

// Meter has all metrics of one server. It is safe for use by many at once.
type Meter struct {
	registry *prometheus.Registry
	own      []prometheus.Collector // but for those of Go and of the process

	operations       *prometheus.CounterVec
	operationSeconds *prometheus.HistogramVec
	transfers        *prometheus.CounterVec
	resolverSeconds  *prometheus.HistogramVec
	statementSeconds *prometheus.HistogramVec
	statementErrors  *prometheus.CounterVec

	answers       *prometheus.CounterVec
	firstToken    prometheus.Histogram
	answerSeconds prometheus.Histogram
	tokens        *prometheus.CounterVec

	jobTurns     *prometheus.CounterVec
	jobSeconds   *prometheus.HistogramVec
	stages       *prometheus.CounterVec
	stageSeconds *prometheus.HistogramVec
	documents    *prometheus.CounterVec
	calls        *prometheus.CounterVec
	callSeconds  *prometheus.HistogramVec
	lookFailures *prometheus.CounterVec
	looked       *looked
}

// What the steps of a histogram are: of what is done while a client waits, of statements, and of what may take long.
var (
	quickly  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	tiny     = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 3}
	patient  = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120}
	remotely = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60}
)

// New makes a meter that has counted nothing yet.
func New() *Meter {
	m := &Meter{registry: prometheus.NewRegistry(), looked: newLooked()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	m.operations = m.counter("operations_total", "Operations that have ended.", "operation", "transport", "code")
	m.operationSeconds = m.histogram("operation_duration_seconds",
		"Time from the request of a query or mutation until its response was made.", quickly, "operation")
	m.transfers = m.counter("transfers_total", "Requests that carried files over plain HTTP, or asked for it.", "direction", "status")
	m.resolverSeconds = m.histogram("resolver_duration_seconds",
		"Time in the resolver of a field at the top of a query or mutation.", quickly, "field")
	m.statementSeconds = m.histogram("sql_duration_seconds",
		"Time of SQL statements of the store, those that are sent together as one.", tiny, "statement")
	m.statementErrors = m.counter("sql_errors_total", "SQL statements of the store that failed.", "statement")

	m.answers = m.counter("answers_total", "Answers that this process ended.", "finish_reason", "grounding")
	m.firstToken = m.plainHistogram("answer_first_token_seconds", "Time from the beginning of an attempt to its first text.", patient)
	m.answerSeconds = m.plainHistogram("answer_duration_seconds", "Time from the beginning of an attempt to its end.", patient)
	m.tokens = m.counter("answer_tokens_total", "Tokens of answers, as the models count them.", "direction")

	m.jobTurns = m.counter("job_turns_total", "Turns of jobs that this process has worked on.", "kind", "outcome")
	m.jobSeconds = m.histogram("job_turn_duration_seconds", "Time of a turn of a job.", patient, "kind")
	m.stages = m.counter("ingest_stages_total", "Stages that documents went through.", "stage", "outcome")
	m.stageSeconds = m.histogram("ingest_stage_duration_seconds", "Time of a stage of a document, within one turn of its job.", remotely, "stage")
	m.documents = m.counter("documents_total", "Runs of documents that this process ended.", "kind", "outcome")

	m.calls = m.counter("upstream_calls_total", "Calls of upstreams that have ended, each try for itself where it is asked again.",
		"upstream", "call", "code")
	m.callSeconds = m.histogram("upstream_call_duration_seconds", "Time of calls of upstreams.", remotely, "upstream", "call")
	m.lookFailures = m.counter("look_failures_total", "Figures that could not be read for a scrape, which then goes without them.", "of")
	m.add(m.looked)
	return m
}

const namespace = "kyrochat"

func (m *Meter) add(c prometheus.Collector) {
	m.registry.MustRegister(c)
	m.own = append(m.own, c)
}

func (m *Meter) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.add(c)
	return c
}

func (m *Meter) histogram(name, help string, steps []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: steps}, labels)
	m.add(h)
	return h
}

func (m *Meter) plainHistogram(name, help string, steps []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: steps})
	m.add(h)
	return h
}

// At most two scrapes are answered at once, each within a few seconds.
const (
	mostScrapes = 2
	scrapeTime  = 5 * time.Second
)

// Handler shows all metrics in the formats of Prometheus.
func (m *Meter) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: mostScrapes, Timeout: scrapeTime,
	})
}
