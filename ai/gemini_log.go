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
// stops an answer. bridgeLog sends its lines, and nobody else's, to slog at debug: it wraps the writer of that log, which
// is one for the process. The last logger counts.
func bridgeLog(to *slog.Logger) {
	bridging.Lock()
	defer bridging.Unlock()
	sdkLog.Store(to)
	if _, wrapped := log.Writer().(*sdkWriter); !wrapped {
		log.SetOutput(&sdkWriter{next: log.Writer()})
	}
}

var (
	bridging sync.Mutex
	sdkLog   atomic.Pointer[slog.Logger]
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
