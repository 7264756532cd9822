// Package text holds pure functions on text: the one form in which text is stored, the terms it is searched by,
// its sentences, its language, and its length in the units that others count in.
//
// Documents and questions go through the same words and stems, so that a term of a question is, byte for byte,
// a term of the passages that contain the word. Nothing here does I/O or keeps state.
package text
