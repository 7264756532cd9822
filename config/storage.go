package config

import (
	"math"
	"net/url"
	"time"

	"kyrochat/ingest/bucket"
	"kyrochat/kyro"
)

// Storage is where files are kept, and how long they may take to come.
type Storage struct {
	ExportTTL      time.Duration  // how long an export is there once it is final
	MaxExportBytes int64          // of the file of one
	UploadTTL      time.Duration  // of the address that a file is sent to
	Bucket         bucket.Options // no endpoint: files are in the database, or in the data folder with SQLite
}

// readStorage reads where files are kept.
func (r *reader) readStorage(c *Config) {
	s := &c.Storage
	s.UploadTTL = r.duration("KYRO_UPLOAD_TTL", time.Hour)
	if s.UploadTTL < time.Second {
		r.wrong("KYRO_UPLOAD_TTL", "must be at least 1s")
	}
	s.ExportTTL = r.duration("KYRO_EXPORT_TTL", kyro.ExportTTL)
	if s.ExportTTL < time.Second {
		r.wrong("KYRO_EXPORT_TTL", "must be at least 1s")
	}
	s.MaxExportBytes = int64(r.integer("KYRO_EXPORT_MAX_BYTES", kyro.MaxExportBytes, 1, math.MaxInt32)) // Export.sizeBytes has no more
	s.Bucket = bucket.Options{
		Endpoint:  r.url("KYRO_S3_ENDPOINT", "http", "https"),
		Bucket:    r.text("KYRO_S3_BUCKET", ""),
		Region:    r.text("KYRO_S3_REGION", "us-east-1"),
		AccessKey: r.text("KYRO_S3_ACCESS_KEY", ""),
		SecretKey: kyro.Secret(r.text("KYRO_S3_SECRET_KEY", "")),
		Prefix:    r.text("KYRO_S3_PREFIX", "kyrochat"),
		PathStyle: r.choice("KYRO_S3_PATH_STYLE", "true", "true", "false") == "true",
	}
	if s.Bucket.Endpoint == "" {
		for _, name := range []string{"KYRO_S3_BUCKET", "KYRO_S3_ACCESS_KEY", "KYRO_S3_SECRET_KEY"} {
			if r.getenv(name) != "" {
				r.wrong(name, "is set, but KYRO_S3_ENDPOINT is not: set it, such as https://s3.eu-central-1.amazonaws.com, or unset this")
			}
		}
		return
	}
	if u, err := url.Parse(s.Bucket.Endpoint); err == nil && (u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil) {
		r.wrong("KYRO_S3_ENDPOINT", "must be a scheme and a host alone: the bucket has its own setting, and so have the keys")
	}
	for name, value := range map[string]string{
		"KYRO_S3_BUCKET": s.Bucket.Bucket, "KYRO_S3_ACCESS_KEY": s.Bucket.AccessKey, "KYRO_S3_SECRET_KEY": string(s.Bucket.SecretKey),
	} {
		if value == "" {
			r.wrong(name, "is required with KYRO_S3_ENDPOINT")
		}
	}
}
