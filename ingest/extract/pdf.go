package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	pdfiumerrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
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
	pool  pdfium.Pool
	cache wazero.CompilationCache
}

// newPDFEngine loads the engine. Compiling takes seconds, so the machine code is kept in a folder; without one, or
// where it is not usable, it is compiled anew.
func newPDFEngine(cacheDir string) (*pdfEngine, error) {
	if cacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(cacheDir, "pdfium"))
		if err == nil {
			if pool, err := newPDFPool(cache); err == nil {
				return &pdfEngine{pool: pool, cache: cache}, nil
			}
			_ = cache.Close(context.Background())
		}
	}
	pool, err := newPDFPool(nil)
	if err != nil {
		return nil, err
	}
	return &pdfEngine{pool: pool}, nil
}

// newPDFPool sets what the engine may do. PDFium needs exception handling, which the default features lack; an
// empty FSConfig mounts nothing, where none at all would mount the root of the machine; and its output must not
// go to standard output, which carries the frames.
func newPDFPool(cache wazero.CompilationCache) (pdfium.Pool, error) {
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithMemoryLimitPages(wasmPages)
	if cache != nil {
		config = config.WithCompilationCache(cache)
	}
	return webassembly.Init(webassembly.Config{
		MaxTotal: 1, MaxIdle: 1,
		FSConfig: wazero.NewFSConfig(), RuntimeConfig: config,
		Stdout: io.Discard, Stderr: io.Discard,
	})
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
	doc, err := instance.OpenDocument(&requests.OpenDocument{FileReader: f, FileReaderSize: info.Size()})
	if err != nil {
		return kyro.Extraction{}, openError(err)
	}
	count, err := instance.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: doc.Document})
	if err != nil || count.PageCount < 1 {
		return kyro.Extraction{}, damaged(err)
	}
	if count.PageCount > limits.MaxPages {
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeLimitReached,
			"The PDF has %d pages; a document may have at most %d. Split it into several files.", count.PageCount, limits.MaxPages)
	}
	progress(0, count.PageCount)
	pages := make([]pdfPage, 0, count.PageCount)
	failed, length := 0, 0
	spaces := &spaces{}
	for i := range count.PageCount {
		page, err := readPage(instance, doc.Document, i, spaces)
		if err != nil {
			failed++
			page = pdfPage{number: i + 1, broken: true}
		}
		for _, l := range page.lines {
			length += len(l.text) + 1
		}
		if length > 2*limits.MaxExtractedText {
			return kyro.Extraction{}, textTooLong(limits)
		}
		pages = append(pages, page)
		progress(i+1, count.PageCount)
	}
	if failed == count.PageCount {
		return kyro.Extraction{}, damaged(nil)
	}
	ex := layout(pages, readOutline(instance, doc.Document))
	ex.Title = titleOf(instance, doc.Document)
	if len(ex.Text) > limits.MaxExtractedText {
		return kyro.Extraction{}, textTooLong(limits)
	}
	return ex, nil
}

func openError(err error) error {
	switch {
	case errors.Is(err, pdfiumerrors.ErrPassword):
		return kyro.Errorf(kyro.CodeValidation, "The PDF is protected by a password. Remove the protection and upload it again.")
	case errors.Is(err, pdfiumerrors.ErrSecurity):
		return kyro.Errorf(kyro.CodeValidation,
			"The PDF is encrypted in a way that cannot be opened. Save it without protection and upload it again.")
	}
	return damaged(err)
}

func damaged(err error) error {
	return kyro.Errorf(kyro.CodeValidation,
		"The PDF is damaged and could not be read. Open it in another program, save or print it as a new PDF, and upload that.").Because(err)
}

// hasPicture reports an image on a page, also within the forms that some programs wrap everything in.
func hasPicture(instance pdfium.Pdfium, page references.FPDF_PAGE) bool {
	const most = 500 // objects looked at: a scan is one or a few images
	count, err := instance.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: requests.Page{ByReference: &page}})
	if err != nil {
		return false
	}
	for i := range min(count.Count, most) {
		object, err := instance.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: requests.Page{ByReference: &page}, Index: i})
		if err == nil && isPicture(instance, object.PageObject, 3) {
			return true
		}
	}
	return false
}

func isPicture(instance pdfium.Pdfium, object references.FPDF_PAGEOBJECT, depth int) bool {
	kind, err := instance.FPDFPageObj_GetType(&requests.FPDFPageObj_GetType{PageObject: object})
	if err != nil {
		return false
	}
	if kind.Type == enums.FPDF_PAGEOBJ_IMAGE {
		return true
	}
	if kind.Type != enums.FPDF_PAGEOBJ_FORM || depth == 0 {
		return false
	}
	count, err := instance.FPDFFormObj_CountObjects(&requests.FPDFFormObj_CountObjects{PageObject: object})
	if err != nil {
		return false
	}
	for i := range min(count.Count, 50) {
		inner, err := instance.FPDFFormObj_GetObject(&requests.FPDFFormObj_GetObject{PageObject: object, Index: uint64(i)})
		if err == nil && isPicture(instance, inner.PageObject, depth-1) {
			return true
		}
	}
	return false
}
