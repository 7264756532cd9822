package text

import "strings"

// functionWords are the most frequent words of a language that say nothing about a subject, with the words that
// ask and beg. They tell languages apart and mark what of a question to disregard.
var functionWords = []struct{ language, words string }{
	{"en", `the of and to in is are was were be been being am that which who whom whose what when where why how many much it its he she they
		them their his her him i you your we our us my me this these those there here a an for with as at by from on or but not no if so than then
		do does did done have has had having can could will would shall should may might must about into over after before between during
		please tell explain describe give list name show any some all both each such very also only just up out`},
	{"es", `el la los las de del que y a en un una unos unas es son fue fueron era eran ser sido por para con se su sus lo le les al como más
		pero o sin sobre este esta estos estas ese esa esos esas aquel aquella entre cuando donde quien quienes cual cuales qué cuál cuáles quién
		quiénes cuándo dónde cómo cuánto cuánta cuántos cuántas adónde no si sí ya muy también hay ha han había está están tiene tienen hace
		dime explica explícame describe favor yo tú él ella nosotros ellos ellas mi tu porque según desde hasta ni e u puede pueden`},
	{"fr", `le la les de des du un une et est sont était étaient être été à au aux en dans que qui quoi dont où quand comment pourquoi combien
		quel quelle quels quelles ce cet cette ces il elle ils elles on nous vous je tu me te se ne pas plus par pour sur avec sans sous son sa
		ses leur leurs mon ma mes ton ta tes notre votre ou mais donc or ni car si y a ont avait avoir fait peut peuvent lequel laquelle
		dites expliquez expliquer décrivez entre comme aussi très lors depuis`},
	{"de", `der die das den dem des ein eine einer eines einem einen und ist sind war waren sein gewesen wird werden wurde wurden zu zum zur
		in im am an auf aus bei mit nach von vom für über unter durch um als auch nicht kein keine oder aber wenn dass daß weil wie was wer wen
		wem wessen wann wo wohin woher warum wieso weshalb welche welcher welches welchen welchem wieviel viele viel es er sie ich du wir ihr
		ihm ihn ihnen sich man hat haben hatte kann können soll sollte muss müssen bitte erkläre nenne beschreibe gibt vor bis so noch nur sehr`},
	{"pt", `o a os as de do da dos das que e em no na nos nas um uma uns umas é são foi foram era eram ser sido por para pelo pela pelos pelas
		com se seu sua seus suas lhe ao aos à às como mais mas ou sem sobre este esta estes estas esse essa isso isto aquele entre quando onde
		quem qual quais quanto quanta quantos quantas porque porquê não sim já muito também há tem têm tinha está estão diga explique descreva
		eu tu ele ela nós eles elas meu minha pode podem até desde ainda você`},
	{"it", `il lo la i gli le di del dello della dei degli delle a al allo alla ai agli alle da dal dalla dai in nel nella nei nelle con su sul
		sulla per tra fra un uno una e è sono era erano essere stato stata che chi cosa come quando dove perché quale quali quanto quanta quanti
		quante non più ma o se si ci ne questo questa questi queste quello quella suo sua suoi loro io tu lui lei noi voi ha hanno aveva può
		possono anche molto dimmi spiega descrivi ed ad`},
	{"nl", `de het een en van in is zijn was waren wordt worden werd werden te dat die dit deze op aan met voor door bij uit over naar om als
		ook niet geen of maar want wat wie waar wanneer waarom hoe welke welk hoeveel er hij zij ze wij we ik je jij u hun haar hem heeft hebben
		had kan kunnen zou moet nog tot dan dus tussen tijdens alsjeblieft leg beschrijf noem`},
	{"sv", `och att det som en ett den de i på är var varit för med till av om inte från vid så men eller har hade kan ska skulle vi ni jag du
		han hon dem sig sin sitt sina detta denna dessa när där vad vem vilka vilken vilket hur varför vart många mycket mer efter under över
		mellan också bara blev bli blir genom utan enligt berätta förklara beskriv`},
	{"no", `og å det som en et ei den de i på er var vært for med til av om ikke fra ved så men eller har hadde kan skal skulle vi dere jeg du
		han hun dem seg sin sitt sine dette denne disse når hvor hva hvem hvilke hvilken hvilket hvordan hvorfor mange mye mer etter under over
		mellom også bare ble bli blir gjennom uten ifølge fortell forklar beskriv`},
	{"da", `og at det som en et den de i på er var været for med til af om ikke fra ved så men eller har havde kan skal skulle vi jeg du han
		hun dem sig sin sit sine dette denne disse når hvor hvad hvem hvilke hvilken hvilket hvordan hvorfor mange meget mere efter under over
		mellem også kun blev blive bliver gennem uden ifølge fortæl forklar beskriv`},
	{"fi", `ja on ei että se oli ovat olivat olla hän he ne tämä tämän nämä joka jotka jonka kuin mutta tai myös kun jos niin sen sekä mukaan
		mikä mitä mitkä kuka missä milloin miksi miten kuinka paljon monta millainen minä sinä me te voi voidaan ole olen kanssa jälkeen kertoo`},
	{"pl", `i w z na do nie się że to jest są był była było były być od po za przez dla o jak ale lub oraz a co kto gdzie kiedy dlaczego ile
		który która które którzy jaki jaka jakie czy ten ta te tego tej tych jego jej ich on ona ono oni my wy ja ty może można przed przy pod nad
		między tylko także również już ze we`},
	{"cs", `a v na se je jsou byl byla bylo byli být že to s z do od po za pro o jak ale nebo co kdo kde kdy proč kolik který která které jaký
		jaká jaké ten ta tento tato toto jeho její jejich on ona oni my vy já ty může při před mezi také jen již ve ze ke i`},
	{"hu", `a az és egy hogy nem is van volt vagy de ez azt ezt meg már csak mint ha ki mi mit mikor hol hová honnan miért hogyan hány mennyi
		melyik milyen kik kinek minek ami aki amely amelyek lehet lesz voltak vannak után előtt között alatt szerint által még el le fel be
		ezek azok ő ők én te mi ti nagyon kell`},
	{"ro", `și în de la cu pe din este sunt a fost era au că care ce cine unde când cum cât câți câte câtă de ce pentru nu mai sau dar dacă un o
		unei unui al ale ai lui ei lor se să prin după între sub este această acest aceste acești ca fi are avea poate`},
	{"tr", `ve bir bu da de için ile o olarak olan ne kim nerede nereye nasıl neden niçin hangi kaç mi mı mu mü çok daha en gibi kadar sonra
		önce değil var yok ise veya ama ancak her şu ben sen biz siz onlar onun olan oldu olduğu idi tarafından göre nedir kimdir`},
	{"id", `yang dan di ke dari untuk dengan pada adalah ini itu tidak akan oleh atau juga dalam sebagai apa siapa mana kapan mengapa kenapa
		bagaimana berapa telah dapat bisa ada karena lebih mereka kami kita saya anda ia para seperti antara`},
	{"vi", `và của là các có được trong cho không một những với này đó để khi từ ở về đã sẽ gì nào ai đâu sao bao nhiêu như thế tại người ra
		cũng nhưng hoặc vì theo đến`},
	{"ru", `и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее мне было вот от меня еще нет о из ему
		когда где кто какой какая какие какое каков сколько почему зачем куда откуда чей который которая которые чем чём кого кому были был
		была это этот эта эти для при или если их им до после между также может быть над под об есть расскажи объясни опиши каким какую какого`},
	{"uk", `і й в у на не що він вона воно вони я з із та як а то все так його але ти до же ви за би по тільки її мені було від ще ні о коли де
		хто який яка які яке скільки чому навіщо куди звідки чий котрий чим кого кому були був була це цей ця ці для при або якщо їх їм після
		між також може бути над під про є`},
	{"bg", `и в във на не че той тя то те аз с със за от по се да е са беше бяха като но или ако как какво кой коя кое кои къде кога защо колко
		този тази това тези му ѝ им го ги ще до при след между също може бил била ли`},
	{"el", `ο η το οι τα του της των τον την τους τις και να είναι ήταν με σε για από που πού πώς τι ποιος ποια ποιο ποιοι ποιες ποιον πότε
		γιατί πόσο πόσα πόσοι πόσες δεν μη θα ένα μια ένας στο στη στην στον στα στους αυτό αυτή αυτός ή αλλά αν ως κατά μετά πριν μεταξύ επίσης
		έχει έχουν είχε μας σας τους`},
	{"ar", `في من على إلى عن مع هذا هذه ذلك تلك التي الذي الذين ما ماذا من متى أين كيف لماذا كم هل أي أية هو هي هم كان كانت يكون لا لم لن قد أن
		إن أو ثم بين بعد قبل عند كل بعض غير هناك و كما حتى إذا منذ خلال`},
	{"fa", `و در به از که این آن با را برای است بود شد می های ها یک تا بر هم نیز یا اما اگر چه کی کجا چرا چگونه چند کدام آیا او آنها ما شما من
		پس بین بعد قبل`},
	{"ur", `کے کی کا میں سے ہے ہیں اور کو نے پر یہ وہ جو بھی نہیں تھا تھی تھے کیا کہ ایک لیے اس ان کون کہاں کب کیوں کیسے کتنے تک ساتھ بعد`},
	{"he", `של את על לא כי הוא היא הם הן אני אתה אנחנו זה זו זאת אלה עם אל מן גם או אבל אם כל היה היתה היו יש אין מה מי איפה היכן מתי למה מדוע
		איך כיצד כמה איזה איזו אילו לפני אחרי בין עד רק יותר אשר`},
	{"hi", `के का की को में से है हैं था थी थे और पर ने एक यह वह ये वे कि जो भी नहीं तो ही या लेकिन इस उस इन उन अपने हो होता होती कर करने किया
		गया क्या कौन कहाँ कहां कब क्यों कैसे कितने कितना कितनी किस किसने किसे कौनसा लिए तक साथ बाद द्वारा बताइए`},
	{"mr", `आहे आहेत आणि च्या मध्ये हे ही हा ते ती तो एक या व होते होता होती काय कोण कुठे केव्हा का कसे किती नाही पण किंवा साठी`},
}

// languages are the languages of functionWords; a language's place is its bit in a mask.
var languages = func() (codes []string) {
	for _, l := range functionWords {
		codes = append(codes, l.language)
	}
	return codes
}()

// functionMask has, for each function word as written and as folded, a bit for every language that has it.
var functionMask = func() map[string]uint32 {
	mask := make(map[string]uint32, 4096)
	for i, l := range functionWords {
		for w := range strings.FieldsSeq(l.words) {
			mask[w] |= 1 << i
		}
	}
	return mask
}()

// stopMask is functionMask for folded words, which is how questions are often typed.
var stopMask = func() map[string]uint32 {
	mask := make(map[string]uint32, 4096)
	for w, m := range functionMask {
		mask[foldWord(w)] |= m
	}
	return mask
}()

// languageMask is the mask of one language; zero for one that has no list.
func languageMask(language string) uint32 {
	switch language {
	case "nb", "nn":
		language = "no"
	}
	for i, code := range languages {
		if code == language {
			return 1 << i
		}
	}
	return 0
}

// denseFunctionWords are the function and question words of scripts without spaces. Longer ones win.
var denseFunctionWords = func() map[string]bool {
	words := map[string]bool{}
	for _, list := range []string{
		`什么 什麼 甚么 甚麼 怎么 怎麼 怎样 怎樣 怎么样 怎麼樣 如何 多少 多久 多长 多長 多大 几个 幾個 几 幾 哪 哪里 哪裡 哪儿 哪个 哪個 哪些 哪位 哪一 哪年 哪一年 谁 誰 为什么
		為什麼 为何 為何 何时 何時 何地 何处 何處 是 是否 的 了 吗 嗎 呢 吧 在 有 有没有 有沒有 和 与 與 或 及 被 把 对于 對於 关于 關於 请问 請問 请 請 告诉我 告訴我 解释 解釋 介绍
		一下 这个 這個 那个 那個 这些 這些 那些 它 他 她 我 你 我们 我們 你们 你們 他们 他們 之 以及 中 于 於 能否 可以 是谁 是誰 什么时候 什麼時候 什么样 什麼樣`,
		`は が を に の と で も へ や か から まで より です ます でした ました だ である する した して いる いた いつ どこ だれ 誰 何 なに なん なぜ どう どの どれ どんな どのように
		いくつ いくら ください ありますか ですか ますか でしょうか とは について における によって ある あった されて された これ それ この その 何年 何人 どのくらい`,
		`무엇 무엇입니까 무엇인가 무엇인가요 무엇을 누구 누구입니까 누구인가 누가 언제 언제입니까 어디 어디서 어디에 어디입니까 왜 어떻게 어떤 어느 몇 얼마 얼마나 입니까 인가 인가요
		합니까 했습니까 은 는 이 가 을 를 의 에 에서 에게 으로 로 와 과 도 이란 란 있는 있습니까 하는 무슨 누구의 입니다`,
		`อะไร ที่ไหน ไหน เมื่อไร เมื่อไหร่ ใคร ทำไม อย่างไร ยังไง เท่าไร เท่าไหร่ กี่ ใด คือ ของ ที่ และ ใน เป็น มี ได้ หรือ ไหม จาก โดย กับ ให้ ว่า นี้ นั้น การ ความ ซึ่ง ถูก แห่ง บ้าง`,
	} {
		for w := range strings.FieldsSeq(list) {
			words[foldWord(w)] = true
		}
	}
	return words
}()
