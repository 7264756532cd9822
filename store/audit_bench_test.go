package store_test

import (
	"slices"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

// BenchmarkAudit does the same without and with lines in the audit log, in turns, so that both see the same machine: an
// insert alone, and a sign-in that ends the oldest session, of which the log tells as well. x is how many times as long
// it takes with them, by the medians.
func BenchmarkAudit(b *testing.B) {
	for name, open := range map[string]func(testing.TB, ...testdb.Option) *store.Pools{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		w := &world{pools: open(b, testdb.Also(jobTable))}
		w.Store = store.New(w.pools, rowQueue{})
		user := w.user(b)
		for what, do := range map[string]func(deeds ...kyro.AuditEntry) error{
			"insert": func(deeds ...kyro.AuditEntry) error {
				_, err := w.CreateBot(b.Context(), *kyro.NewBot(user, start), deeds...)
				return err
			},
			"sign-in": func(deeds ...kyro.AuditEntry) error {
				_, _, err := w.CreateSession(b.Context(), aSession(user, start), kyro.MaxSessionsPerUser, deeds...)
				return err
			},
		} {
			b.Run(what+"/"+name, func(b *testing.B) {
				var times [2][]time.Duration
				for b.Loop() {
					for i, deeds := range [][]kyro.AuditEntry{nil, {anEntry(user, kyro.AuditLoggedIn)}} {
						began := time.Now()
						fine(b, do(deeds...))
						times[i] = append(times[i], time.Since(began))
					}
				}
				for i := range times {
					slices.Sort(times[i])
				}
				without, with := times[0][len(times[0])/2], times[1][len(times[1])/2]
				b.ReportMetric(float64(without.Microseconds()), "µs/without")
				b.ReportMetric(float64(with.Microseconds()), "µs/with")
				b.ReportMetric(float64(with)/float64(without), "x")
			})
		}
	}
}

// BenchmarkVerifyAudit checks 100,000 lines.
func BenchmarkVerifyAudit(b *testing.B) {
	const lines = 100_000
	for name, open := range map[string]func(testing.TB, ...testdb.Option) *store.Pools{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := &world{pools: open(b)}
			w.Store = store.New(w.pools, rowQueue{})
			some := make([]kyro.AuditEntry, 1_000)
			for i := range some {
				some[i] = anEntry(kyro.UserID(1), kyro.AuditLoggedIn)
			}
			for range lines / len(some) {
				fine(b, w.Record(b.Context(), some...))
			}
			b.ReportAllocs()
			for b.Loop() {
				if check, err := w.VerifyAudit(b.Context()); err != nil || !check.Intact() || check.Lines != lines {
					b.Fatalf("%+v, %v", check, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lines, "ns/line")
		})
	}
}
