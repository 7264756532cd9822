package config

import (
	"kyrochat/transport"
)

// Carriers are what carries operations, with their limits.
type Carriers struct {
	HTTP     transport.HTTP
	Events   transport.SSE
	Uploads  transport.Multipart
	Sockets  transport.Websocket
	Envelope transport.Envelope

	MaxConnections, MaxLive int // of this node
}

// readCarriers reads the limits of the transports. What is not set stays zero, for which each has its default.
func (r *reader) readCarriers(c *Config) {
	const most = 1 << 30
	timeout, grace := r.duration("KYRO_HTTP_OPERATION_TIMEOUT", 0), r.duration("KYRO_TOKEN_GRACE", 0)
	carry := &c.Carriers
	*carry = Carriers{
		HTTP: transport.HTTP{
			MaxBody:       int64(r.integer("KYRO_HTTP_MAX_BODY_BYTES", 0, 1, most)),
			BodyTimeout:   r.duration("KYRO_HTTP_BODY_TIMEOUT", 0),
			AnswerTimeout: r.duration("KYRO_HTTP_ANSWER_TIMEOUT", 0),
			Timeout:       timeout,
		},
		Uploads: transport.Multipart{
			MaxUpload: c.Limits.MaxUploadBytes,
			MaxFiles:  r.integer("KYRO_UPLOAD_MAX_FILES", 0, 1, 1000),
			Grace:     r.duration("KYRO_UPLOAD_GRACE", 0),
			MinRate:   int64(r.integer("KYRO_UPLOAD_MIN_RATE", 0, 1, most)),
			Timeout:   r.duration("KYRO_UPLOAD_TIMEOUT", 0),
		},
		Sockets: transport.Websocket{
			InitTimeout:   r.duration("KYRO_WS_INIT_TIMEOUT", 0),
			WriteTimeout:  r.duration("KYRO_WS_WRITE_TIMEOUT", 0),
			PingInterval:  r.duration("KYRO_WS_PING_INTERVAL", 0),
			PongTimeout:   r.duration("KYRO_WS_PONG_TIMEOUT", 0),
			ExpiryGrace:   grace,
			MaxMessage:    int64(r.integer("KYRO_WS_MAX_MESSAGE_BYTES", 0, 1, most)),
			MaxOperations: r.integer("KYRO_WS_MAX_OPERATIONS", transport.DefaultMaxOperations, 1, 100_000),
			MaxSockets:    r.integer("KYRO_WS_MAX_SOCKETS", transport.DefaultMaxSockets, 1, 100_000),
		},
		Envelope: transport.Envelope{
			Timeout:     timeout,
			MaxResponse: r.integer("KYRO_HTTP_MAX_RESPONSE_BYTES", transport.DefaultMaxResponse, 1, most),
		},
		MaxConnections: r.integer("KYRO_MAX_CONNECTIONS", 0, 1, 1_000_000),
		MaxLive:        r.integer("KYRO_MAX_LIVE_OPERATIONS", 0, 1, 10_000_000),
	}
	carry.Uploads.AnswerTimeout = carry.HTTP.AnswerTimeout
	carry.Events = transport.SSE{
		HTTP:        carry.HTTP,
		KeepAlive:   r.duration("KYRO_SSE_KEEP_ALIVE", 0),
		WriteTime:   r.duration("KYRO_SSE_WRITE_TIMEOUT", 0),
		ExpiryGrace: grace,
		MaxStreams:  r.integer("KYRO_SSE_MAX_STREAMS", transport.DefaultMaxStreams, 1, 100_000),
	}
}
