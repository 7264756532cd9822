package doctor

import (
	"fmt"
	"log/slog"
	"strings"

	"kyrochat/ai"
	"kyrochat/config"
	"kyrochat/text"
)

// lookAtGemini looks whether the key and the models do what is needed.
func lookAtGemini(p *patient) []Finding {
	c := p.cfg.Providers
	if c.GeminiKey == "" {
		return []Finding{ok("Not set: answers quote the documents, and embeddings compare words (offline).")}
	}
	ctx, cancel := p.within(slow)
	defer cancel()
	var x examinedModels
	x.answers, x.embeddings, x.err = ai.ExamineGemini(ctx, ai.GeminiConfig{
		APIKey: string(c.GeminiKey), URL: c.GeminiURL, Model: c.GeminiModel, EmbeddingModel: c.EmbeddingModel, EmbeddingDims: c.EmbeddingDims,
		Log: slog.New(slog.DiscardHandler),
	})
	found := geminiVerdict(x, c.EmbeddingDims)
	if strings.HasPrefix(c.GeminiURL, "http://") && !config.IsOwnMachine(c.GeminiURL) {
		found = append(found, warn("KYRO_GEMINI_URL begins with http://: the key and all prompts can be read on their way.", "  KYRO_GEMINI_URL=https://…"))
	}
	return found
}

// examinedModels are those of Gemini.
type examinedModels struct {
	answers, embeddings ai.Examined
	err                 error
}

func geminiVerdict(x examinedModels, dims int) (found []Finding) {
	if x.err != nil {
		what, todo := parted(x.err.Error())
		return []Finding{fail(what, todo)}
	}
	seen := map[ai.Trouble]bool{}
	for _, each := range []struct {
		ai.Examined
		setting, use, fallback string
	}{{x.answers, "KYRO_GEMINI_MODEL", "write answers", ai.DefaultGeminiModel}, {x.embeddings, "KYRO_EMBEDDING_MODEL", "make embeddings", ai.DefaultEmbeddingModel}} {
		if each.Trouble == ai.TroubleNone && each.Dims != 0 && each.Dims != dims {
			found = append(found, fail(fmt.Sprintf("%s makes embeddings of %d dimensions, and KYRO_EMBEDDING_DIMS is %d.", each.Model, each.Dims, dims),
				fmt.Sprintf("Set what it makes; documents are embedded anew:\n  KYRO_EMBEDDING_DIMS=%d", each.Dims)))
		}
		general := each.Trouble == ai.TroubleKey || each.Trouble == ai.TroubleAway || each.Trouble == ai.TroubleRefused
		if each.Trouble == ai.TroubleNone || general && seen[each.Trouble] {
			continue
		}
		seen[each.Trouble] = true
		found = append(found, modelTrouble(each.Examined, each.setting, each.use, each.fallback))
	}
	if len(found) == 0 {
		found = []Finding{ok("Gemini takes the key; %s can write answers, and %s made an embedding of %d dimensions.", x.answers.Model, x.embeddings.Model, x.embeddings.Dims)}
	}
	return found
}

func modelTrouble(x ai.Examined, setting, use, fallback string) Finding {
	because := ""
	if x.Cause != nil {
		because = " (" + plainly(x.Cause) + ")"
	}
	switch x.Trouble {
	case ai.TroubleKey:
		return fail("Gemini refuses GEMINI_API_KEY"+because+".", "Take one from https://aistudio.google.com/apikey that may use the Generative Language API:\n  GEMINI_API_KEY=…")
	case ai.TroubleModel:
		return fail("Gemini does not know the model "+x.Model+".", "Name one that is there:\n  "+setting+"="+fallback+
			"\nThose that are:\n  curl -s -H \"x-goog-api-key: $GEMINI_API_KEY\" https://generativelanguage.googleapis.com/v1beta/models | grep '\"name\"'")
	case ai.TroubleUntold:
		return warn("What answers at KYRO_GEMINI_URL does not tell of the model "+x.Model+": whether it can "+use+" is not known.",
			"Have the gateway pass GET /v1beta/models on, or ask a bot something and see what the log says.")
	case ai.TroubleUse:
		return fail("The model "+x.Model+" cannot "+use+".", "Name one that can:\n  "+setting+"="+fallback)
	case ai.TroubleQuota:
		return warn("The quota of Gemini for "+x.Model+" is used up at the moment"+because+".", "Wait, or raise it: https://aistudio.google.com/usage")
	case ai.TroubleRefused:
		return fail("Gemini refuses to work"+because+".", "See that KYRO_GEMINI_URL is right or unset, and that billing and region of the key's project are:\n  unset KYRO_GEMINI_URL")
	}
	if strings.Contains(because, "certificate") {
		return fail("Gemini does not answer"+because+".", "Have the system trust who signs on the internet (package ca-certificates), or, in a container made of nothing, say where that is written:\n  SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt")
	}
	return fail("Gemini does not answer"+because+".", "See that this machine reaches it, also by a proxy (HTTPS_PROXY):\n  curl -sS -o /dev/null -w '%{http_code}\\n' https://generativelanguage.googleapis.com/")
}

// lookAtPinecone looks whether the index fits.
func lookAtPinecone(p *patient) []Finding {
	c := p.cfg.Providers
	if c.PineconeKey == "" {
		return []Finding{ok("Not set: vectors are in the database, and searched in memory.")}
	}
	ctx, cancel := p.within(slow)
	defer cancel()
	x, err := ai.ExaminePinecone(ctx, ai.PineconeConfig{
		APIKey: string(c.PineconeKey), Index: c.PineconeIndex, Host: c.PineconeHost, ControlURL: c.PineconeControlURL,
		SharedNamespace: c.PineconeShared, Model: c.Identity(), Dims: c.EmbeddingDims, Log: slog.New(slog.DiscardHandler),
	})
	return pineconeVerdict(x, err, c)
}

func pineconeVerdict(x ai.ExaminedIndex, err error, c config.Providers) (found []Finding) {
	name := pick(c.PineconeIndex != "", c.PineconeIndex, c.PineconeHost)
	if err != nil {
		what, todo := parted(strings.TrimPrefix(err.Error(), "KYRO_PINECONE_INDEX: "))
		if i := strings.LastIndex(todo, " (pinecone "); i >= 0 { // why, which the message has at its end
			what, todo = strings.TrimSuffix(what, ".")+strings.TrimSuffix(todo[i:], ".")+".", sentence(todo[:i])
		}
		if i := strings.Index(todo, "curl "); i >= 0 { // to be pasted
			todo = strings.TrimRight(todo[:i], " ") + "\n  " + todo[i:]
		}
		switch {
		case strings.Contains(what, "deadline exceeded"):
			what = "Pinecone does not answer in time."
			fallthrough
		case todo == "":
			todo = "See that this machine reaches Pinecone; where the host of the index is set, that it is the one that app.pinecone.io shows:\n  curl -sS https://api.pinecone.io/indexes -H \"Api-Key: $PINECONE_API_KEY\" -H \"X-Pinecone-Api-Version: 2025-10\""
		}
		return []Finding{fail(what, todo)}
	}
	if !x.Ready {
		return []Finding{warn(fmt.Sprintf("The index %s is not ready (%s): answers use words alone until it is.", name, pick(x.State == "", "no state is told", x.State)), "Wait some minutes, and look again.")}
	}
	if x.Metric == "dotproduct" {
		found = append(found, note("The index "+name+" compares by dotproduct. Vectors are kept at length one, for which that is the same as cosine.", ""))
	}
	if strings.HasPrefix(x.Host, "http://") && !config.IsOwnMachine(x.Host) {
		found = append(found, warn("KYRO_PINECONE_HOST begins with http://: the key and all vectors can be read on their way.", "  KYRO_PINECONE_HOST="+strings.TrimPrefix(x.Host, "http://")))
	}
	if worst(found) == Fine || worst(found) == Noted {
		found = append([]Finding{ok("Pinecone takes the key; the index %s at %s is ready, of %d dimensions%s, with %s.", name, x.Host, x.Dims,
			pick(x.Metric == "", "", " and metric "+x.Metric), text.Plural(x.Vectors, "vector"))}, found...)
	}
	return found
}
