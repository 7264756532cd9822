package extract

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"

	"kyrochat/kyro"
)

// languages are texts of the same kind in the character sets that files in these languages are found in.
var languages = []struct {
	language, text string
	charsets       []string
}{
	{"German", "Die Rückgabe ist innerhalb von dreißig Tagen möglich. Bitte schicken Sie das Gerät in der Originalverpackung zurück; die Kosten für den Rückversand trägt der Käufer. Für beschädigte Ware gelten die üblichen Fristen.",
		[]string{"windows-1252"}},
	{"French", "Le client peut retourner l'appareil dans les trente jours après la réception. Les frais d'expédition sont à la charge de l'acheteur, sauf si l'article est arrivé endommagé ou ne fonctionne pas à cause d'un défaut déjà présent.",
		[]string{"windows-1252", "iso-8859-15"}},
	{"Spanish", "El año pasado la compañía amplió la garantía: ahora cubre también la batería y el cargador. ¿Cómo se pide una reparación? Envíe un correo con el número de serie y una fotografía del daño.",
		[]string{"windows-1252"}},
	{"Polish", "Zwrot jest możliwy w ciągu trzydziestu dni. Proszę odesłać urządzenie w oryginalnym opakowaniu; koszty przesyłki ponosi kupujący. Każde zgłoszenie rozpatrujemy w ciągu tygodnia, a pieniądze wracają na to samo konto.",
		[]string{"windows-1250", "iso-8859-2"}},
	{"Czech", "Zboží lze vrátit do třiceti dnů od převzetí. Přístroj prosím pošlete zpět v původním obalu; náklady na dopravu hradí kupující. Žádost vyřídíme během týdne a peníze přijdou na stejný účet.",
		[]string{"windows-1250", "iso-8859-2"}},
	{"Russian", "Вернуть товар можно в течение тридцати дней. Пожалуйста, отправьте прибор обратно в исходной упаковке; расходы на доставку несёт покупатель. Заявку мы рассмотрим в течение недели, деньги вернутся на тот же счёт.",
		[]string{"windows-1251", "koi8-r", "iso-8859-5"}},
	{"Greek", "Η επιστροφή είναι δυνατή εντός τριάντα ημερών. Παρακαλούμε στείλτε τη συσκευή στην αρχική της συσκευασία· τα έξοδα αποστολής βαρύνουν τον αγοραστή. Τα χρήματα επιστρέφονται στον ίδιο λογαριασμό.",
		[]string{"windows-1253", "iso-8859-7"}},
	{"Turkish", "Ürünü otuz gün içinde iade edebilirsiniz. Lütfen cihazı özgün ambalajında geri gönderin; kargo ücretini alıcı öder. Başvurunuz bir hafta içinde değerlendirilir ve para aynı hesaba yatırılır.",
		[]string{"windows-1254"}},
	{"Hebrew", "ניתן להחזיר את המוצר בתוך שלושים יום. נא לשלוח את המכשיר באריזתו המקורית; דמי המשלוח חלים על הקונה. הבקשה תטופל בתוך שבוע והכסף יוחזר לאותו חשבון.",
		[]string{"windows-1255"}},
	{"Arabic", "يمكن إرجاع المنتج خلال ثلاثين يوما. يرجى إرسال الجهاز في عبوته الأصلية، ويتحمل المشتري تكاليف الشحن. ننظر في الطلب خلال أسبوع ويعاد المبلغ إلى الحساب نفسه.",
		[]string{"windows-1256", "iso-8859-6"}},
	{"Chinese", "商品可在三十天内退货。请将设备用原包装寄回,运费由买方承担。我们会在一周内处理申请,款项将退回原账户。如果商品在运输途中损坏,请附上照片。",
		[]string{"gb18030", "gbk"}},
	{"Chinese, traditional", "商品可在三十天內退貨。請將設備用原包裝寄回,運費由買方承擔。我們會在一週內處理申請,款項將退回原帳戶。如果商品在運輸途中損壞,請附上照片。",
		[]string{"big5"}},
	{"Japanese", "商品は三十日以内であれば返品できます。元の箱に入れてお送りください。送料はお客様のご負担となります。お申し込みは一週間以内に確認し、同じ口座に返金いたします。",
		[]string{"shift_jis", "euc-jp", "iso-2022-jp"}},
	{"Korean", "상품은 삼십 일 이내에 반품할 수 있습니다. 기기를 원래 포장에 넣어 보내 주십시오. 배송비는 구매자가 부담합니다. 신청은 일주일 안에 처리되며 같은 계좌로 환불됩니다.",
		[]string{"euc-kr"}},
}

// TestLanguagesInTheirCharsets reads a text of each language in each of its character sets, as a file that says nothing
// of it and as a page whose server or head does.
func TestLanguagesInTheirCharsets(t *testing.T) {
	t.Parallel()
	for _, l := range languages {
		for _, name := range l.charsets {
			enc, err := htmlindex.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			data, err := enc.NewEncoder().Bytes([]byte(l.text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			ex, err := readText(data, kyro.Original{MimeType: Plain}, kyro.DefaultLimits())
			if err != nil || ex.Text != l.text {
				t.Errorf("%s in %s: %q, %v", l.language, name, ex.Text, err)
			} else if name != "iso-2022-jp" && (len(ex.Warnings) != 1 || ex.Warnings[0].Code != CharsetGuessed) {
				t.Errorf("%s in %s: warnings %v", l.language, name, ex.Warnings)
			}
			head, _ := enc.NewEncoder().Bytes([]byte("<html><head><title>x</title><meta charset=" + name + "></head><p>" + l.text))
			for how, o := range map[string]kyro.Original{"head": {}, "server": {Claimed: "text/html; charset=" + name}} {
				page := head
				if how == "server" {
					page, _ = enc.NewEncoder().Bytes([]byte("<html><p>" + l.text))
				}
				o.MimeType = HTML
				ex, err := readText(page, o, kyro.DefaultLimits())
				if err != nil || ex.Text != l.text || len(ex.Warnings) != 0 {
					t.Errorf("%s in %s by its %s: %q, %v, %v", l.language, name, how, ex.Text, ex.Warnings, err)
				}
			}
		}
	}
}

func TestUTF16WithoutAMark(t *testing.T) {
	t.Parallel()
	for _, l := range languages {
		for name, order := range map[string]unicode.Endianness{"little": unicode.LittleEndian, "big": unicode.BigEndian} {
			// A line end is all that tells Chinese from the same bytes in another order.
			data, err := unicode.UTF16(order, unicode.IgnoreBOM).NewEncoder().Bytes([]byte(l.text + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			if !looksLikeText(data) {
				t.Errorf("%s, %s endian: not taken for text", l.language, name)
				continue
			}
			ex, err := readText(data, kyro.Original{MimeType: Plain}, kyro.DefaultLimits())
			if err != nil || strings.TrimSpace(ex.Text) != l.text || len(ex.Warnings) != 1 {
				t.Errorf("%s, %s endian: %q, %v, %v", l.language, name, ex.Text, ex.Warnings, err)
			}
		}
	}
	for _, binary := range []string{"\x00\x01\x02\x03\x04\x05\x06\x07", "hello\x00world", strings.Repeat("\x00\x00\x01\x7f\x12\x00", 100)} {
		if looksLikeText([]byte(binary)) {
			t.Errorf("%q is taken for text", binary)
		}
	}
}
