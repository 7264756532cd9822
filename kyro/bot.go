package kyro

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits and defaults of a bot.
const (
	MaxBotName           = 100
	MaxBotDescription    = 500
	MaxBotInstructions   = 8_000
	MaxWelcomeMessage    = 1_000
	MaxSuggested         = 6
	MaxSuggestedQuestion = 200
	MaxNoAnswerText      = 1_000
	MaxModelName         = 100
	MaxTopK              = 20
	MaxOutputTokens      = 8_192
	MaxTemperature       = 2.0
	DefaultTopK          = 5
	DefaultNoAnswerText  = "I could not find an answer to that in my documents."
)

// Bot is instructions, model settings and knowledge under one owner.
type Bot struct {
	ID                 ID
	OwnerID            ID
	Name               string
	Description        *string
	Instructions       *string
	WelcomeMessage     *string
	SuggestedQuestions []string
	Model              *string  // nil: the server's default
	Temperature        *float64 // nil: the server's default; 0 to 2
	MaxOutputTokens    *int     // nil: the server's default; 1 to 8,192
	TopK               int      // passages an answer may use; 1 to 20
	MinScore           *float64 // the least cosine similarity of a passage; nil: none
	NoAnswerText       string
	Strict             bool // answer from the documents only
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// NodeID makes Bot a Node.
func (b *Bot) NodeID() ID { return b.ID }

// Clone is a copy of the bot that shares nothing with it.
func (b *Bot) Clone() Bot {
	c := *b
	c.Description, c.Instructions, c.WelcomeMessage = cloned(b.Description), cloned(b.Instructions), cloned(b.WelcomeMessage)
	c.SuggestedQuestions = slices.Clone(b.SuggestedQuestions)
	c.Model, c.Temperature, c.MaxOutputTokens = cloned(b.Model), cloned(b.Temperature), cloned(b.MaxOutputTokens)
	c.MinScore = cloned(b.MinScore)
	return c
}

// cloned copies what may be nil.
func cloned[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// ReadableBy reports whether the viewer may see the bot. Only the owner may, until bots can be public.
func (b *Bot) ReadableBy(v Viewer) bool { return v.Is(b.OwnerID) }

// EditableBy reports whether the viewer may change the bot. Only the owner may, in person.
func (b *Bot) EditableBy(v Viewer) bool { return v.Is(b.OwnerID) && v.KeyID.IsZero() }

// OwnedBy reports whether the bot is the viewer's own: its documents and its search are for nobody else.
func (b *Bot) OwnedBy(v Viewer) bool { return v.Is(b.OwnerID) }

// ChattableBy reports whether the viewer may hold conversations with the bot. Only the owner may, until bots
// can be public.
func (b *Bot) ChattableBy(v Viewer) bool { return v.Is(b.OwnerID) && v.May(ScopeChat) }

// BotPatch changes a bot: a field left out stays, null clears it or restores its default.
type BotPatch struct {
	Name               Opt[string]
	Description        Opt[string]
	Instructions       Opt[string]
	WelcomeMessage     Opt[string]
	SuggestedQuestions Opt[[]string]
	Model              Opt[string]
	Temperature        Opt[float64]
	MaxOutputTokens    Opt[int]
	TopK               Opt[int]
	MinScore           Opt[float64]
	NoAnswerText       Opt[string]
	Strict             Opt[bool]
}

// NewBot is a bot with every default set, owned by the user; Apply gives it what the owner chose.
func NewBot(owner ID, now time.Time) *Bot {
	return &Bot{OwnerID: owner, TopK: DefaultTopK, NoAnswerText: DefaultNoAnswerText, Strict: true, CreatedAt: now, UpdatedAt: now}
}

// Apply changes the bot by the patch and checks the outcome: one VALIDATION error for each field that is wrong,
// joined. The bot is of no use then. Blank texts count as null.
func (b *Bot) Apply(p BotPatch) error {
	p.Name.IntoOr(&b.Name, "")
	p.Description.Into(&b.Description)
	p.Instructions.Into(&b.Instructions)
	p.WelcomeMessage.Into(&b.WelcomeMessage)
	p.SuggestedQuestions.IntoOr(&b.SuggestedQuestions, nil)
	p.Model.Into(&b.Model)
	p.Temperature.Into(&b.Temperature)
	p.MaxOutputTokens.Into(&b.MaxOutputTokens)
	p.TopK.IntoOr(&b.TopK, DefaultTopK)
	p.MinScore.Into(&b.MinScore)
	p.NoAnswerText.IntoOr(&b.NoAnswerText, DefaultNoAnswerText)
	p.Strict.IntoOr(&b.Strict, true)
	return b.validate()
}

func (b *Bot) validate() error {
	name, err := checkLine("name", "The name", b.Name, MaxBotName)
	b.Name = name
	wrong := []error{err}
	texts := []struct {
		field, label string
		text         **string
		limit        int
	}{
		{"description", "The description", &b.Description, MaxBotDescription},
		{"instructions", "The instructions", &b.Instructions, MaxBotInstructions},
		{"welcomeMessage", "The welcome message", &b.WelcomeMessage, MaxWelcomeMessage},
		{"model", "The model", &b.Model, MaxModelName},
	}
	for _, t := range texts {
		switch {
		case *t.text == nil:
		case strings.TrimSpace(**t.text) == "":
			*t.text = nil
		default:
			wrong = append(wrong, checkText(t.field, t.label, **t.text, t.limit))
		}
	}
	if strings.TrimSpace(b.NoAnswerText) == "" {
		wrong = append(wrong, Invalid("noAnswerText", "The no-answer text must not be empty; null restores the default."))
	} else {
		wrong = append(wrong, checkText("noAnswerText", "The no-answer text", b.NoAnswerText, MaxNoAnswerText))
	}
	if b.Model != nil && len(*b.Model) <= MaxModelName && !IsModelName(*b.Model) {
		wrong = append(wrong, Invalid("model", "The model must be named as its provider names it, such as gemini-3.8-flash: letters, digits, dots, dashes and slashes."))
	}
	return errors.Join(append(wrong, b.checkSuggested(), b.checkNumbers())...)
}

// IsModelName reports whether a model may be called so: it stands in the paths of requests.
func IsModelName(s string) bool { return modelName.MatchString(s) }

var modelName = regexp.MustCompile(`^(?:[A-Za-z]{1,40}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func (b *Bot) checkSuggested() error {
	if len(b.SuggestedQuestions) > MaxSuggested {
		return Invalid("suggestedQuestions", "At most %d suggested questions.", MaxSuggested)
	}
	for i, q := range b.SuggestedQuestions {
		line, err := checkLine("suggestedQuestions", "A suggested question", q, MaxSuggestedQuestion)
		if err != nil {
			_ = err.(*Error).At("suggestedQuestions", strconv.Itoa(i)) //nolint:errorlint // as checkLine gives it
			return err
		}
		b.SuggestedQuestions[i] = line
	}
	return nil
}

func (b *Bot) checkNumbers() error {
	var wrong []error
	check := func(right bool, err *Error) {
		if !right {
			wrong = append(wrong, err)
		}
	}
	check(b.Temperature == nil || *b.Temperature >= 0 && *b.Temperature <= MaxTemperature,
		Invalid("temperature", "The temperature must be between 0 and %g.", MaxTemperature))
	check(b.MaxOutputTokens == nil || *b.MaxOutputTokens >= 1 && *b.MaxOutputTokens <= MaxOutputTokens,
		Invalid("maxOutputTokens", "maxOutputTokens must be between 1 and %d.", MaxOutputTokens))
	check(b.TopK >= 1 && b.TopK <= MaxTopK, Invalid("topK", "topK must be between 1 and %d.", MaxTopK))
	check(b.MinScore == nil || *b.MinScore >= -1 && *b.MinScore <= 1,
		Invalid("minScore", "minScore is a cosine similarity, between -1 and 1."))
	return errors.Join(wrong...)
}

// BotFilter selects bots of one owner.
type BotFilter struct {
	Search string // part of the name, without regard to case
}

// BotOrder orders bots.
type BotOrder struct {
	By        BotOrderField
	Direction Direction
}

// BotOrderField is what bots are ordered by.
type BotOrderField string

// The orders of bots.
const (
	BotsByCreation BotOrderField = "CREATED_AT"
	BotsByName     BotOrderField = "NAME"
)

// Name is the order's name in cursors.
func (o BotOrder) Name() string { return "bots." + string(o.By) + "." + string(o.Direction) }
