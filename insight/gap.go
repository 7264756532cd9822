package insight

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

// GapStore keeps what bots could not answer. Questions are taken in and out by whatever decides about them: the end of an
// answer, a rating, a new answer, a deletion.
type GapStore interface {
	// Bots reads the owner's live bots, in any order.
	Bots(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error)
	// Gaps reads gaps of the owner's live bots, in any order.
	Gaps(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Gap, error)
	// GapPages lists the gaps of each bot, those with the most unanswered questions first.
	GapPages(ctx context.Context, owner kyro.ID, bots []kyro.ID, f kyro.GapFilter, p kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Gap], error)
	// GapQuestionPages lists the questions of each gap, the newest first.
	GapQuestionPages(ctx context.Context, owner kyro.ID, gaps []kyro.ID, p kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.GapQuestion], error)
	// GapCounts counts the questions of a bot by gap that were asked in a span, the most frequent first.
	GapCounts(ctx context.Context, owner, bot kyro.ID, span kyro.Span, limit int) ([]kyro.GapCount, error)
	// DismissGap dismisses a gap, or opens it again. CONFLICT while its questions are asked again.
	DismissGap(ctx context.Context, owner, id kyro.ID, dismissed bool) (kyro.Gap, error)

	// GapQuestionsToEmbed reads some questions of a bot whose vectors are wanted and are not of the model, those that belong
	// to gaps first.
	GapQuestionsToEmbed(ctx context.Context, bot kyro.ID, model string, limit int) ([]kyro.GapQuestion, error)
	// SaveGapVectors stores vectors by the model; nil for a text that it refuses. What they took goes on the owner's account.
	SaveGapVectors(ctx context.Context, bot kyro.ID, model string, vectors map[kyro.ID][]float32, used ...kyro.EmbeddingUsage) error
	// PlaceGapQuestions puts some questions that have vectors into gaps, in the order in which they were asked.
	PlaceGapQuestions(ctx context.Context, p kyro.GapPlacing) (placed int, err error)
	// BotsWithGapWork finds bots of which questions are not in gaps, or are compared by another model.
	BotsWithGapWork(ctx context.Context, model string, limit int) ([]kyro.ID, error)

	// CheckedGap reads a gap whose questions are asked again in the run, and the document they are asked for.
	CheckedGap(ctx context.Context, gap kyro.ID, run int64) (c kyro.CheckedGap, found bool, err error)
	// BeginGapTrial gives the next question to ask again, and holds what that may take. BUDGET_EXCEEDED where it may take too
	// much. found is false where there is none left.
	BeginGapTrial(
		ctx context.Context, gap kyro.ID, run int64, history int, estimate func(bot kyro.Bot, question string, opens bool) kyro.Spending, now time.Time,
	) (t kyro.GapTrial, found bool, err error)
	// SaveGapVerdict notes what came of it, and counts what it took.
	SaveGapVerdict(ctx context.Context, gap kyro.ID, run int64, t kyro.GapTrial, v kyro.GapVerdict, u kyro.MessageUsage, now time.Time) error
	// FailGapTrial notes that the question could not be asked as it would be in a conversation, counts what that took, and tells
	// how often that was so without a verdict in between.
	FailGapTrial(ctx context.Context, gap kyro.ID, run int64, t kyro.GapTrial, u kyro.MessageUsage, now time.Time) (tries int, err error)
	// EndGapCheck ends the run: without a problem the gap is FIXED where enough was answered. Where there are questions left
	// after all, they are asked, too.
	EndGapCheck(ctx context.Context, gap kyro.ID, run int64, problem kyro.GapProblem, now time.Time) error
}

// Embedder turns texts into vectors, as for passages. Where some fail, the others are given with the error. Lexical reports
// that the vectors compare letters rather than meaning.
type Embedder interface {
	Model() (name string, dims int)
	EmbedPassages(ctx context.Context, texts []string) ([][]float32, error)
	Lexical() bool
}

// Answers makes the documents that close gaps, and has their questions asked again.
type Answers interface {
	// AnswerGap adds the pair to the bot and begins to check the gap, in one fact. The same answer once more gives the
	// document it made. VALIDATION, LIMIT_REACHED, RATE_LIMITED; CONFLICT while another answer is checked.
	AnswerGap(ctx context.Context, v kyro.Viewer, bot kyro.ID, a kyro.GapAnswer) (kyro.Document, error)
}

// Rehearsal answers questions for nobody to see.
type Rehearsal interface {
	Ask(ctx context.Context, job kyro.AnswerJob) (kyro.Rehearsed, error)
	Estimate(bot kyro.Bot, question string, opens bool) kyro.Spending
	History() int
}

// GapConfig is what Gaps work with; the first four must be given.
type GapConfig struct {
	Store     GapStore
	Embedder  Embedder
	Answers   Answers
	Rehearsal Rehearsal
	Threshold float64     // the least similarity of a question to a gap, as a cosine; 0: the embedder's own
	Metered   bool        // what the embedder takes is counted on the account of the bot's owner
	Prices    kyro.Prices // of models; none: embeddings cost nothing
	Now       func() time.Time
	Log       *slog.Logger
}

// The least similarities of a question to a gap. Where letters are compared it is such that of 47 pairs of wordings of the
// same questions 31 came together, and 3 pairs of others (TestGapsOfWordings has some of them). For models it is a guess at
// what paraphrases have and questions about related things mostly have not: KYRO_GAP_SIMILARITY sets another.
const (
	lexicalThreshold = 0.45
	meaningThreshold = 0.80
)

// How much of one turn.
const (
	embedATurn  = 50
	placeATurn  = 50
	botsASweep  = 100
	embedded    = 4_000            // bytes of a question that are compared
	checkATurn  = 30 * time.Second // after this another turn goes on; one question may take longer
	awayPause   = 30 * time.Second // before an upstream that is away is asked again
	readyPauses = time.Second      // between two looks whether a document is ready, at first
	longPause   = 15 * time.Second // and when it takes long
	checkMost   = 24 * time.Hour   // for which a gap is tried to be checked
	triesMost   = 10               // of one question, since each may cost something
	longAway    = 10 * time.Minute // the longest pause between two of them
)

// Gaps is the use cases of what bots could not answer, and the work on it.
type Gaps struct{ GapConfig }

// NewGaps makes them.
func NewGaps(c GapConfig) *Gaps {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("part", "gaps")
	if c.Threshold <= 0 {
		c.Threshold = meaningThreshold
		if c.Embedder.Lexical() {
			c.Threshold = lexicalThreshold
		}
	}
	return &Gaps{c}
}

func (g *Gaps) time() time.Time { return kyro.Moment(g.Now()) }

// List gives a page of the gaps of each of the viewer's bots. Without states in the filter those to do are meant.
func (g *Gaps) List(
	ctx context.Context, v kyro.Viewer, bots []kyro.ID, f kyro.GapFilter, p kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Gap], error) {
	if err := v.Must(kyro.ScopeRead); err != nil {
		return nil, err
	}
	if len(f.Status) == 0 {
		f.Status = kyro.GapsToDo
	}
	return g.Store.GapPages(ctx, v.UserID, bots, f, p)
}

// Questions gives a page of the questions of each of the viewer's gaps.
func (g *Gaps) Questions(ctx context.Context, v kyro.Viewer, gaps []kyro.ID, p kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.GapQuestion], error) {
	if err := v.Must(kyro.ScopeRead); err != nil {
		return nil, err
	}
	return g.Store.GapQuestionPages(ctx, v.UserID, gaps, p)
}

// ByID reads those of the gaps that are the viewer's, in any order.
func (g *Gaps) ByID(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.Gap, error) {
	if err := v.Must(kyro.ScopeRead); err != nil {
		return nil, err
	}
	return g.Store.Gaps(ctx, v.UserID, ids)
}

// Unanswered counts what was asked of the viewer's bot in a span and left unanswered, the most frequent first: up to limit of
// it, 1 to kyro.MaxUnanswered. BAD_USER_INPUT for another one; NOT_FOUND.
func (g *Gaps) Unanswered(ctx context.Context, v kyro.Viewer, bot kyro.ID, span kyro.Span, limit int) ([]kyro.GapCount, error) {
	if err := v.MustFor(bot, kyro.KindBot, kyro.ScopeRead); err != nil {
		return nil, err
	}
	if limit < 1 || limit > kyro.MaxUnanswered {
		return nil, kyro.Errorf(kyro.CodeBadUserInput, "first must be between 1 and %d.", kyro.MaxUnanswered)
	}
	bots, err := g.Store.Bots(ctx, v.UserID, []kyro.ID{bot})
	if _, err := kyro.One(bots, err, kyro.KindBot); err != nil {
		return nil, err
	}
	return g.Store.GapCounts(ctx, v.UserID, bot, span, limit)
}

// Resolve answers a gap of the viewer's: a document is made of the answer, and the questions of the gap are asked again once
// it is ready. Without a question that of the gap is taken. Only persons may: it costs up to kyro.MaxGapAsked answers on the
// owner's account. Errors as of Answers; NOT_FOUND.
func (g *Gaps) Resolve(ctx context.Context, v kyro.Viewer, id kyro.ID, question *string, answer string) (gap kyro.Gap, document kyro.Document, err error) {
	if err := mustSee(v, id); err != nil {
		return gap, document, err
	}
	gaps, err := g.Store.Gaps(ctx, v.UserID, []kyro.ID{id})
	if gap, err = kyro.One(gaps, err, kyro.KindGap); err != nil {
		return gap, document, err
	}
	qa := kyro.QA{Question: kyro.Shortened(gap.Question, kyro.MaxQuestion), Answer: answer}
	if question != nil {
		qa.Question = *question
	}
	document, err = g.Answers.AnswerGap(ctx, v, gap.BotID, kyro.GapAnswer{GapID: id, QA: qa})
	if err != nil {
		return gap, document, err
	}
	gaps, err = g.Store.Gaps(ctx, v.UserID, []kyro.ID{id})
	gap, err = kyro.One(gaps, err, kyro.KindGap)
	return gap, document, err
}

// Dismiss says of a gap of the viewer's that it wants no answer, or takes that back. Questions that are like its own join it
// all the same. CONFLICT while its questions are asked again; NOT_FOUND.
func (g *Gaps) Dismiss(ctx context.Context, v kyro.Viewer, id kyro.ID, dismissed bool) (kyro.Gap, error) {
	if err := mustSee(v, id); err != nil {
		return kyro.Gap{}, err
	}
	return g.Store.DismissGap(ctx, v.UserID, id, dismissed)
}

// mustSee demands a person: who changes a gap is shown what people asked.
func mustSee(v kyro.Viewer, gap kyro.ID) error {
	if err := v.MustBePerson(); err != nil {
		return err
	}
	return gap.Expect(kyro.KindGap)
}

// model names the embedding, so that its vectors are told from those of every other.
func (g *Gaps) model() string {
	name, dims := g.Embedder.Model()
	return fmt.Sprintf("%s@%d", name, dims)
}

// Place is the job that puts the unanswered questions of a bot together. Each turn does a part: vectors first, those of gaps
// that were made by another model before those of new questions.
func (g *Gaps) Place(ctx context.Context, job kyro.Job) error {
	bot, model := kyro.BotID(job.Key), g.model()
	questions, err := g.Store.GapQuestionsToEmbed(ctx, bot, model, embedATurn)
	if err != nil {
		return err
	}
	if len(questions) > 0 {
		if err := g.embed(ctx, bot, model, questions); err != nil {
			return g.patient(ctx, "questions are not compared yet", err)
		}
		kyro.JobProgress(ctx)
		if len(questions) == embedATurn {
			return kyro.ErrJobAgain
		}
	}
	placed, err := g.Store.PlaceGapQuestions(ctx, kyro.GapPlacing{Bot: bot, Model: model, Threshold: g.Threshold, Limit: placeATurn, Now: g.time()})
	if err == nil && placed == placeATurn {
		return kyro.ErrJobAgain
	}
	return err
}

// embed stores the vectors of questions. One that the model refuses has none.
func (g *Gaps) embed(ctx context.Context, bot kyro.ID, model string, questions []kyro.GapQuestion) error {
	texts := make([]string, len(questions))
	for i, q := range questions {
		if texts[i] = head(q.Text, embedded); g.Embedder.Lexical() {
			texts[i] = subject(texts[i])
		}
	}
	made, err := g.Embedder.EmbedPassages(ctx, texts)
	switch {
	case err == nil && len(made) != len(texts):
		return fmt.Errorf("embed %d questions: got %d vectors", len(texts), len(made))
	case err != nil && kyro.ErrorCode(err) == kyro.CodeValidation:
		made = make([][]float32, len(texts))
		for i, one := range texts {
			alone, err := g.Embedder.EmbedPassages(ctx, []string{one})
			if err == nil && len(alone) == 1 {
				made[i] = alone[0]
			} else if err != nil && kyro.ErrorCode(err) != kyro.CodeValidation {
				return err
			}
		}
	case err != nil:
		return err
	}
	vectors, tokens := make(map[kyro.ID][]float32, len(made)), 0
	for i, v := range made {
		vectors[questions[i].MessageID] = v
		tokens += text.Tokens(texts[i])
	}
	var used []kyro.EmbeddingUsage
	if g.Metered {
		name, _ := g.Embedder.Model()
		used = []kyro.EmbeddingUsage{{BotID: bot, Tokens: tokens, Cost: g.Prices.Cost(name, tokens, 0), At: g.time()}}
	}
	return g.Store.SaveGapVectors(ctx, bot, model, vectors, used...)
}

// subject is the words of a question that say what it is about: where letters are compared, those that every question has
// would make all of them alike.
func subject(question string) string {
	var words []string
	for _, term := range text.Query(question, nil) {
		if !term.Stop {
			words = append(words, term.Variants[len(term.Variants)-1])
		}
	}
	if len(words) == 0 {
		return question
	}
	return strings.Join(words, " ")
}

// head is the beginning of a text: at most limit bytes of whole code points.
func head(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}

// patient tells the queue to come back where an upstream is away, which is no failure of the job.
func (g *Gaps) patient(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil || !passing(err) {
		return err
	}
	g.Log.WarnContext(ctx, what, "error", err)
	return kyro.JobAgainAfter(pauseFor(err))
}

// pauseFor is how long to wait until what was away may be there again.
func pauseFor(err error) time.Duration {
	pause := awayPause
	if known, ok := errors.AsType[*kyro.Error](err); ok {
		pause = max(pause, known.RetryAfter)
	}
	return pause
}

// passing reports an error that is over once an upstream is back.
func passing(err error) bool {
	switch kyro.ErrorCode(err) {
	case kyro.CodeUpstreamFailed, kyro.CodeUpstreamQuota, kyro.CodeUnavailable, kyro.CodeRateLimited, kyro.CodeTimeout:
		return true
	}
	return false
}

// Sweep looks for questions that no job is about any more, and for those that were compared by another model than is set
// now.
func (g *Gaps) Sweep(ctx context.Context) error {
	bots, err := g.Store.BotsWithGapWork(ctx, g.model(), botsASweep)
	if err != nil {
		return err
	}
	more := len(bots) == botsASweep
	for _, bot := range bots {
		err := g.Place(ctx, kyro.Job{Kind: kyro.JobPlaceGaps, Key: bot.Key})
		if errors.Is(err, kyro.ErrJobAgain) {
			if e, ok := errors.AsType[*kyro.Error](err); ok && e.RetryAfter > 0 {
				return err // the model is away
			}
			more = true
		} else if err != nil {
			return err
		}
	}
	if more {
		return kyro.ErrJobAgain
	}
	return nil
}
