package text_test

import (
	"strings"
	"testing"

	"kyrochat/text"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	for want, samples := range map[string][]string{
		"en": {"The quick brown fox jumps over the lazy dog and runs into the forest.", "Who won Super Bowl XLIX?", "This invoice is due within thirty days of the date on which it was sent.", prose["en"]},
		"es": {"El puerto fue construido entre 1841 y 1858, cuando el pueblo tenía menos de mil habitantes.", "¿Cuál es la capital de España?", "¿Qué significa harbour master?"},
		"fr": {"Le port a été construit entre 1841 et 1858, quand le village comptait moins de mille habitants.", "Qu'est-ce que c'est que cette histoire dans la forêt ?"},
		"de": {prose["de"], "Die Rechnung ist innerhalb von dreißig Tagen zu bezahlen."},
		"pt": {"O porto foi construído entre 1841 e 1858, quando a aldeia não tinha mais de mil habitantes.", "Qual é a capital do Brasil e quantas pessoas vivem lá?"},
		"it": {"Il porto è stato costruito tra il 1841 e il 1858, quando il villaggio aveva meno di mille abitanti."},
		"nl": {"De haven werd gebouwd tussen 1841 en 1858, toen het dorp nog geen duizend inwoners had."},
		"sv": {"Hamnen byggdes mellan 1841 och 1858, när byn inte hade mer än tusen invånare, och den är nu ett museum."},
		"no": {"Havnen ble bygget mellom 1841 og 1858, da landsbyen ikke hadde mer enn tusen innbyggere, og den er nå et museum."},
		"da": {"Havnen blev bygget mellem 1841 og 1858, da landsbyen ikke havde mere end tusind indbyggere, og den er nu af stor betydning."},
		"fi": {"Satama rakennettiin vuosina 1841 ja 1858, kun kylässä ei ollut tuhatta asukasta, mutta se on nyt museo."},
		"pl": {"Port został zbudowany w latach 1841–1858, gdy wieś nie miała tysiąca mieszkańców, ale to się zmieniło po wojnie."},
		"cs": {"Přístav byl postaven v letech 1841 až 1858, když vesnice neměla ani tisíc obyvatel, ale to se po válce změnilo."},
		"hu": {"A kikötő 1841 és 1858 között épült, amikor a falunak nem volt ezer lakosa sem, de ez már csak egy emlék."},
		"tr": {"Liman 1841 ve 1858 yılları arasında yapıldı, bu köyde o zaman bin kişi bile yok idi ve çok küçük bir yer olarak bilinirdi."},
		"ro": {"Portul a fost construit între 1841 și 1858, când satul nu avea mai mult de o mie de locuitori."},
		"vi": {"Cảng được xây dựng từ năm 1841 đến 1858, khi ngôi làng có ít hơn một nghìn người và không có đường sắt."},
		"ru": {prose["ru"], "Кто написал роман о войне и мире?", "Расписание поездов"},
		"uk": {"Гавань була побудована між 1841 і 1858 роками, коли в селі ще не було тисячі мешканців, як це є зараз."},
		"el": {"Το λιμάνι χτίστηκε μεταξύ 1841 και 1858, όταν το χωριό είχε λιγότερους από χίλιους κατοίκους.", "Αθήνα Θεσσαλονίκη"},
		"ar": {prose["ar"], "ما هي عاصمة فرنسا؟", "ميناء المدينة القديم"},
		"fa": {"این بندر بین سال\u200Cهای ۱۸۴۱ و ۱۸۵۸ ساخته شد و در آن زمان روستا کمتر از هزار نفر جمعیت داشت که از ماهیگیری بود."},
		"ur": {"یہ بندرگاہ 1841 اور 1858 کے درمیان بنائی گئی تھی اور اس وقت گاؤں میں ایک ہزار سے کم لوگ تھے۔"},
		"he": {"הנמל נבנה בין 1841 ל-1858, כאשר בכפר היו פחות מאלף תושבים."},
		"hi": {"यह बंदरगाह 1841 और 1858 के बीच बनाया गया था, जब गाँव में एक हज़ार से कम लोग थे।"},
		"zh": {prose["zh"], "法国的首都是哪里？", "使用 Docker 部署服务器的方法"},
		"ja": {"この港は1841年から1858年の間に建設された。", "東京タワーの高さは何メートルですか"},
		"ko": {"이 항구는 1841년과 1858년 사이에 건설되었다.", "대한민국의 수도는 무엇입니까?"},
		"th": {"ท่าเรือแห่งนี้สร้างขึ้นระหว่างปี 1841 ถึง 1858"},
		"ka": {"ნავსადგური აშენდა 1841 წელს."},
		"":   {"", "12345 67/89 --- 3.14", "Xyzzy", "SKU QTY PRICE XK400 KM20 ZZ81", "α"},
	} {
		for _, s := range samples {
			if got := text.Detect(s); got != want {
				t.Errorf("Detect(%.60q) = %q, want %q", s, got, want)
			}
		}
	}
}

func TestDetectSamplesAllOfALongText(t *testing.T) {
	t.Parallel()
	s := strings.Repeat("0123456789 ", 2000) + strings.Repeat(prose["en"], 60)
	if got := text.Detect(s); got != "en" {
		t.Errorf("got %q", got)
	}
	if got := text.Detect(strings.Repeat(prose["zh"], 50)); got != "zh" {
		t.Errorf("got %q", got)
	}
}

func FuzzDetect(f *testing.F) {
	f.Add(prose["ru"])
	f.Fuzz(func(t *testing.T, s string) {
		if got := text.Detect(s); got != "" && len(got) != 2 {
			t.Fatalf("Detect(%q) = %q", s, got)
		}
	})
}
