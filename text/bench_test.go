package text_test

import (
	"strings"
	"testing"

	"kyrochat/text"
)

// prose is about a page of each language, repeated.
var prose = map[string]string{
	"en": `The harbour of Aldermouth was built between 1841 and 1858, when the fishing village had fewer than 1,200 inhabitants. Dr. Ellen Marsh, the town's
first engineer, had argued that without a breakwater the ships of the northern companies would never stop there. Her plans, which are kept in the
museum, show three basins connected by locks; only two of them were finished. After the railway arrived in 1863 the harbour exported coal, slate
and wool, and the population grew to 14,500 within twenty years. Today's visitors know it mainly for the old lighthouse, the regatta in August and
the restaurants along the quay. Some of the warehouses have been converted into flats, others still wait for an owner.

`,
	"de": `Der Hafen wurde zwischen 1841 und 1858 gebaut, als das Fischerdorf weniger als 1.200 Einwohner hatte. Die erste Ingenieurin der Stadt hatte
darauf hingewiesen, dass ohne einen Wellenbrecher die Schiffe der nördlichen Gesellschaften dort niemals anlegen würden. Ihre Pläne, die im Museum
aufbewahrt werden, zeigen drei durch Schleusen verbundene Becken; nur zwei davon wurden fertiggestellt. Heute kennt man ihn vor allem wegen des Leuchtturms.

`,
	"ru": `Гавань была построена между 1841 и 1858 годами, когда в рыбацкой деревне жило меньше 1200 человек. Первый инженер города утверждала, что без
волнолома корабли северных компаний никогда не будут останавливаться здесь. Её планы, которые хранятся в музее, показывают три бассейна, соединённых
шлюзами; только два из них были закончены.

`,
	"zh": `这座港口建于1841年至1858年之间，当时这个渔村的居民不足一千二百人。城市的第一位工程师认为，如果没有防波堤，北方公司的船只永远不会在那里停靠。她的图纸保存在博物馆里，显示了由船闸连接的三个港池；
其中只有两个完工。铁路通车以后，港口出口煤炭、石板和羊毛，人口在二十年内增长到一万四千五百人。

`,
	"ar": `بني الميناء بين عامي 1841 و1858 عندما كان عدد سكان قرية الصيادين أقل من ألف ومائتي نسمة. وكانت أول مهندسة في المدينة قد ذهبت إلى أن السفن لن تتوقف هناك أبدا من دون حاجز للأمواج.

`,
}

func benchText(language string) string {
	p := prose[language]
	return strings.Repeat(p, 1<<18/len(p)+1)
}

func perLanguage(b *testing.B, f func(s, language string)) {
	for _, language := range []string{"en", "de", "ru", "zh", "ar"} {
		s := benchText(language)
		b.Run(language, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				f(s, language)
			}
		})
	}
}

func BenchmarkTerms(b *testing.B) {
	perLanguage(b, func(s, language string) { text.Terms(s, language) })
}

// BenchmarkTermsOfChunks is what ingestion does: every chunk is analysed by itself.
func BenchmarkTermsOfChunks(b *testing.B) {
	perLanguage(b, func(s, language string) {
		for chunk := range strings.SplitSeq(s, "\n\n") {
			text.Terms(chunk, language)
		}
	})
}

func BenchmarkSentences(b *testing.B) {
	perLanguage(b, func(s, _ string) { text.Sentences(s) })
}

func BenchmarkTokens(b *testing.B) {
	perLanguage(b, func(s, _ string) { text.Tokens(s) })
}

// BenchmarkChunking is the part of chunking that is spent here.
func BenchmarkChunking(b *testing.B) {
	perLanguage(b, func(s, _ string) {
		offsets := text.NewOffsets(s)
		for _, span := range text.Sentences(s) {
			text.Tokens(s[span.Start:span.End])
			offsets.Char(span.Start)
			offsets.Char(span.End)
		}
	})
}

func BenchmarkNormalize(b *testing.B) {
	perLanguage(b, func(s, _ string) { text.Normalize(s) })
}

func BenchmarkFold(b *testing.B) {
	perLanguage(b, func(s, _ string) { text.Fold(s) })
}

func BenchmarkDetect(b *testing.B) {
	perLanguage(b, func(s, _ string) { text.Detect(s) })
}

func BenchmarkQuery(b *testing.B) {
	for b.Loop() {
		text.Query("When was the harbour of Aldermouth built, and who was the engineer?", []string{"en", "de"})
	}
}
