package program

import (
	"slices"
	"strings"
	"testing"

	"kyrochat/internal/gemini"
)

// TestWhatHelpsAnAnswerInTrouble lets the short calls around an answer go wrong: a question that leans on the one before
// is answered although nobody rewrites it, and a conversation keeps its first title where nobody writes a better one.
func TestWhatHelpsAnAnswerInTrouble(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]gemini.Script{
		"it fails":           {Times: 2, Status: 500, Message: bodyCanary},
		"it hangs":           {Times: 1, Then: gemini.Hang},
		"it is cut":          {Times: 2, Then: gemini.End},
		"it is blocked":      {Times: 1, Block: "SAFETY"},
		"it is empty":        {Times: 2, Then: gemini.Empty},
		"it is no question":  {Times: 1, Text: "I would rather tell a story.\nOnce upon a time\nthere was a model."},
		"it is of something": {Times: 1, Text: "What do the stock markets of Narnia say about bananas?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startUpstreams(t, gemini.Options{}).serve(t, nil)
			p := w.signUp(t)
			bot := p.newBot()
			p.know(bot, "Tea Book", teaText)
			title := s
			s.Kind, title.Kind = gemini.KindRewrite, gemini.KindTitle
			w.gemini.Script(s, title)
			sent := p.send(vars{"botId": bot, "text": "Who founded the tea house on Pepper Lane?"})
			first, _ := p.hear(sent.text("sendMessage.botMessage.id"))
			p.grounded(first, w.upstreams)
			conversation := sent.text("sendMessage.conversation.id")
			second, text := p.chat(vars{"conversationId": conversation, "text": "And when does it open?"})
			p.grounded(second, w.upstreams)
			if !strings.Contains(text, "nine in the morning") {
				t.Errorf("the question that leans on the one before: %q", text)
			}
			// What fails is asked for again only while there is a second for it, which a busy machine may have used up.
			rewrites, answers := len(w.gemini.RequestsOf(gemini.KindRewrite)), len(w.gemini.RequestsOf(gemini.KindAnswer))
			if rewrites < 1 || rewrites > max(1, s.Times) || answers != 2 {
				t.Errorf("asked to rewrite %d times, to answer %d times", rewrites, answers)
			}
			w.gemini.MustAwait(t, func(list []gemini.Request) bool {
				return slices.ContainsFunc(list, func(q gemini.Request) bool { return q.Kind == gemini.KindTitle })
			})
			if s.Text == "" {
				got := p.must(`query($c: ID!) { conversation(id: $c) { title } }`, vars{"c": conversation}).text("conversation.title")
				if got != "Who founded the tea house on Pepper Lane?" {
					t.Errorf("the title is %q", got)
				}
			}
			keepsSecrets(t, "the log", w.log.String(), "Pepper Lane", "Narnia", "Once upon")
		})
	}
}

// TestStoppedBeforeTheFirstWord stops an answer that Gemini has not begun: the row ends at once, and so does the request.
func TestStoppedBeforeTheFirstWord(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		w := startUpstreams(t, gemini.Options{}).serve(t, env)
		p := w.signUp(t)
		bot := p.newBot()
		p.know(bot, "Tea Book", teaText)
		w.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Then: gemini.Hang})
		message := p.send(vars{"botId": bot, "text": "When does the tea house on Pepper Lane open?"}).text("sendMessage.botMessage.id")
		w.gemini.MustAwait(t, func(list []gemini.Request) bool {
			return slices.ContainsFunc(list, func(q gemini.Request) bool { return q.Kind == gemini.KindAnswer })
		})
		r := p.must(`mutation($m: ID!) { stopMessage(input: {messageId: $m}) { message { status text } errors { code } } }`, vars{"m": message})
		if r.text("stopMessage.message.status") != "STOPPED" || r.text("stopMessage.message.text") != "" {
			t.Errorf("%s", r.body)
		}
		w.gemini.MustAwait(t, func(list []gemini.Request) bool {
			return slices.ContainsFunc(list, func(q gemini.Request) bool { return q.Kind == gemini.KindAnswer && q.Gone != nil })
		})
		if finished, text := p.hear(message); finished.text("messageStream.finishReason") != "STOPPED_BY_USER" || text != "" {
			t.Errorf("%s", finished.body)
		}
	})
}
