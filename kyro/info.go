package kyro

// SignUpMode is who may make an account.
type SignUpMode string

// The modes of signing up.
const (
	SignUpOpen     SignUpMode = "OPEN"
	SignUpVerified SignUpMode = "VERIFIED"
	SignUpClosed   SignUpMode = "CLOSED"
)

// ServerInfo is what a client should know about the server it talks to.
type ServerInfo struct {
	Version     string
	Environment string
	SignUp      SignUpMode
	Answers     ProviderInfo
	Embeddings  ProviderInfo
	Vectors     string
	Database    string
	Live        string
	Limits      ServerLimits
}

// ProviderInfo names who makes answers or embeddings.
type ProviderInfo struct{ Provider, Model string }

// ServerLimits are the limits a client should check before it sends.
type ServerLimits struct {
	MaxUploadBytes  int
	MaxTextChars    int
	MaxMessageChars int
	MaxPageSize     int
	AcceptedTypes   []string

	MaxDocuments    *int // of one user; nil: no limit
	MaxStorageBytes *int // of the files of one user; nil: no limit

	MaxSockets            int // of one user
	MaxEventStreams       int // of one user
	MaxOperationsOnSocket int
}
