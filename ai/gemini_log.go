package ai

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// The SDK writes a line to the standard library's log whenever a stream ends early, which is every time that somebody
// stops an answer. bridgeLog sends its lines, and nobody else's, to slog at debug. It wraps the log's writer once for the
// process; the last logger counts.
func bridgeLog(to *slog.Logger) {
	sdkLog.Store(to)
	bridgeOnce.Do(func() { log.SetOutput(&sdkWriter{next: log.Writer()}) })
}

var (
	sdkLog     atomic.Pointer[slog.Logger]
	bridgeOnce sync.Once
)

type sdkWriter struct{ next io.Writer }

// Write tells the SDK's lines by who calls.
func (w *sdkWriter) Write(line []byte) (int, error) {
	if !calledBySDK() {
		return w.next.Write(line)
	}
	sdkLog.Load().Debug("the client of Gemini says", "line", string(bytes.TrimSpace(line)))
	return len(line), nil
}

// sdkDepth is how far from the log's writer the SDK's own function can be.
const sdkDepth = 12

func calledBySDK() bool {
	var callers [sdkDepth]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "log.") {
			return strings.HasPrefix(frame.Function, "google.golang.org/genai.")
		}
		if !more {
			return false
		}
	}
}
