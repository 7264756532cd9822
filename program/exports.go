package program

import (
	"path/filepath"
	"time"

	"kyrochat/export"
	"kyrochat/export/folder"
	"kyrochat/kyro"
	"kyrochat/store"
)

// expireEvery is how often exports are looked for that nobody can download any more.
const expireEvery = 10 * time.Minute

// newExports makes the use cases of exports and gives the queue their handlers. Their files go where originals do.
func (a *app) newExports(st *store.Store) error {
	files, err := folder.Open(filepath.Join(a.cfg.DataDir, "exports"), !a.pools.Postgres())
	if err != nil {
		return err
	}
	a.exports = export.New(export.Config{
		Store: st, Originals: a.documents, Folder: files, Bucket: a.bucket, Shared: a.pools.Postgres(), Grants: a.tokens,
		Base: func() string { return a.cfg.PublicURL }, Limiter: a.nodes.rates, Rate: a.cfg.Rates.Exports, TTL: a.cfg.Storage.ExportTTL,
		MaxBytes: a.cfg.Storage.MaxExportBytes, Version: version(), Currency: a.cfg.Prices.Currency,
		Now: a.hooks.now, Log: a.log,
	})
	a.queue.Handle(kyro.JobExport, a.exports.Work)
	a.queue.OnExhausted(kyro.JobExport, a.exports.GiveUp)
	a.queue.Handle(kyro.JobDropExport, a.exports.Drop)
	a.queue.Periodic(kyro.JobExpire, expireEvery, a.exports.Expire)
	return nil
}
