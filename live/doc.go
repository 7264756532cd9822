// Package live is what processes tell each other while something happens: logs of answers that are being written, wakes of
// conversations, progress of documents, caches of nouns that change slowly, and counts for rates. Each is in process, and shared
// by all processes through Redis where there is one; the database has the truth of all of them, so nothing is lost with it.
package live
