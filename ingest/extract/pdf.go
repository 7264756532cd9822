package extract

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"kyrochat/kyro"
)

const (
	// wasmPages bounds the memory of the PDF engine: 512 MiB in pages of 64 KiB.
	wasmPages = 512 << 20 >> 16
	// fewLetters: a page with a picture and fewer letters is a scan. A stamp or a page number is no text.
	fewLetters = 20
)

// pdfEngine is PDFium compiled to WebAssembly. It sees no file system: it gets the bytes of one document through
// a reader. Every document has an instance of its own, so that none can leave anything behind for the next.
type pdfEngine struct {
	pool   pdfium.Pool
	cache  wazero.CompilationCache
	memory *pdfMemory // of the instance started last
}

// newPDFEngine loads the engine. Compiling takes seconds, so the machine code is kept in a folder; without one, or
// where it is not usable, it is compiled anew.
func newPDFEngine(cacheDir string) (*pdfEngine, error) {
	e := &pdfEngine{}
	if cacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(cacheDir, "pdfium"))
		if err == nil {
			if err := e.start(cache); err == nil {
				return e, nil
			}
			_ = cache.Close(context.Background())
		}
	}
	if err := e.start(nil); err != nil {
		return nil, err
	}
	return e, nil
}

// start sets what the engine may do. PDFium needs exception handling, which the default features lack; an
// empty FSConfig mounts nothing, where none at all would mount the root of the machine; and its output must not
// go to standard output, which carries the frames.
func (e *pdfEngine) start(cache wazero.CompilationCache) (err error) {
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithMemoryLimitPages(wasmPages)
	if cache != nil {
		config = config.WithCompilationCache(cache)
	}
	e.cache = cache
	e.pool, err = webassembly.Init(webassembly.Config{
		Context: experimental.WithMemoryAllocator(context.Background(), experimental.MemoryAllocatorFunc(
			func(_, most uint64) experimental.LinearMemory {
				e.memory = newPDFMemory(most)
				return e.memory
			})),
		MaxTotal: 1, MaxIdle: 1,
		FSConfig: wazero.NewFSConfig(), RuntimeConfig: config,
		Stdout: io.Discard, Stderr: io.Discard,
	})
	return err
}

func (e *pdfEngine) close() {
	_ = e.pool.Close()
	if e.cache != nil {
		_ = e.cache.Close(context.Background())
	}
}

// read extracts one PDF, page by page.
func (e *pdfEngine) read(f *os.File, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	info, err := f.Stat()
	if err != nil {
		return kyro.Extraction{}, fmt.Errorf("opening the file: %w", err)
	}
	if info.Size() == 0 {
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeFileEmpty, "The file is empty.")
	}
	instance, err := e.pool.GetInstanceWithContext(context.Background())
	if err != nil {
		return kyro.Extraction{}, fmt.Errorf("starting an instance of the PDF engine: %w", err)
	}
	defer instance.Close()
	c, err := newPDFCalls(instance, e.memory)
	if err != nil {
		return kyro.Extraction{}, fmt.Errorf("starting an instance of the PDF engine: %w", err)
	}
	doc, failure, err := c.open(f, info.Size())
	if err != nil {
		return kyro.Extraction{}, fmt.Errorf("giving a file to the PDF engine: %w", err)
	}
	if doc == 0 {
		return kyro.Extraction{}, openError(failure)
	}
	count := c.number("FPDF_GetPageCount", doc)
	if count < 1 {
		return kyro.Extraction{}, damaged()
	}
	if count > limits.MaxPages {
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeLimitReached,
			"The PDF has %d pages; a document may have at most %d. Split it into several files.", count, limits.MaxPages)
	}
	progress(0, count)
	pages := make([]pdfPage, 0, count)
	failed, length := 0, 0
	r := pageReader{pdfCalls: c, doc: doc, fonts: map[string]typeface{}}
	for i := range count {
		page := r.read(i)
		if page.broken {
			failed++
		}
		for _, l := range page.lines {
			length += len(l.text) + 1
		}
		if length > 2*limits.MaxExtractedText {
			return kyro.Extraction{}, textTooLong(limits)
		}
		pages = append(pages, page)
		progress(i+1, count)
	}
	if failed == count {
		return kyro.Extraction{}, damaged()
	}
	ex := layout(pages, readOutline(c, doc))
	ex.Title = titleOf(c, doc)
	if len(ex.Text) > limits.MaxExtractedText {
		return kyro.Extraction{}, textTooLong(limits)
	}
	return ex, nil
}

func openError(failure int) error {
	switch failure {
	case pdfPassword:
		return kyro.Errorf(kyro.CodeValidation, "The PDF is protected by a password. Remove the protection and upload it again.")
	case pdfSecurity:
		return kyro.Errorf(kyro.CodeValidation,
			"The PDF is encrypted in a way that cannot be opened. Save it without protection and upload it again.")
	}
	return damaged()
}

func damaged() error {
	return kyro.Errorf(kyro.CodeValidation,
		"The PDF is damaged and could not be read. Open it in another program, save or print it as a new PDF, and upload that.")
}

// Kinds of objects on a page, and of annotations, by the numbers of the engine.
const (
	pdfImage  = 3
	pdfForm   = 5
	pdfWidget = 20
)

// hasPicture reports an image on a page, also within the forms that some programs wrap everything in.
func (c *pdfCalls) hasPicture(page pointer) bool {
	const most = 500 // objects looked at: a scan is one or a few images
	for i := range min(c.number("FPDFPage_CountObjects", page), most) {
		if c.isPicture(c.call("FPDFPage_GetObject", page, uint64(i)), 3) {
			return true
		}
	}
	return false
}

func (c *pdfCalls) isPicture(object pointer, depth int) bool {
	if object == 0 {
		return false
	}
	kind := c.number("FPDFPageObj_GetType", object)
	if kind == pdfImage {
		return true
	}
	if kind != pdfForm || depth == 0 {
		return false
	}
	for i := range min(c.number("FPDFFormObj_CountObjects", object), 50) {
		if c.isPicture(c.call("FPDFFormObj_GetObject", object, uint64(i)), depth-1) {
			return true
		}
	}
	return false
}
