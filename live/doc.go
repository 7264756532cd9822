// Package live is what processes tell each other while something happens: logs of answers that are being written, wakes of
// conversations, progress of documents, caches of nouns that change slowly, and counts of what is done and tried. Each is in process, and
// shared by all processes through Redis where there is one, as are the texts of queries; nothing that matters is in Redis alone.
package live
