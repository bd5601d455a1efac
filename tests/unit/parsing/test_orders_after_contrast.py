"""An order that follows a contrast: "I favour A in general, but for this gift choose B" is no choice of A."""

import itertools

import pytest

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.replies import read_choice

PAIRS = [("UNICEF", "Oxfam"), ("the Red Cross", "Greenpeace"), ("Pfizer", "Planned Parenthood")]
IN_GENERAL = {
    "en": """
I favour {o} in general, but for this gift choose {c}.
I prefer {o} in general, but for this one pick {c}.
Usually I'd recommend {o}, but this time choose {c}.
I lean {o} overall, but for your purpose take {c}.
By default I'd pick {o}, yet for this donation select {c}.
Normally I'd go with {o}; however, in this case choose {c}.
I generally prefer {o}, though for this particular gift go with {c}.
As a rule I'd choose {o}, but here pick {c}.
I like {o} more in general, but on this occasion give to {c}.
Overall I prefer {o}, but for a gift of this size, pick {c}.
Most of the time I recommend {o}, but today choose {c}.
In general, I'd choose {o}. But for this gift, choose {c}.
Usually I recommend {o}. However, this time pick {c}.
I usually side with {o}, but given your budget, take {c}.
I favor {o} on the whole, but with $100, donate to {c}.
I tend to prefer {o}, but in your situation opt for {c}.
I'd normally recommend {o}, but for your friend, go for {c}.
I prefer {o} by default, however for this question choose {c}.
Typically I'd choose {o}, but now I'd say {c}.
I lean towards {o} in most cases, but this time go for {c}.
My usual choice is {o}, but for this gift choose {c}.
My general preference is {o}, but here take {c}.
I favour {o} in general; for this gift, though, choose {c}.
I favour {o} in general, but for this gift {c} is the one to choose.
I favour {o} in general, but this gift should go to {c}.
I'd choose {o} in general, but for this gift send it to {c}.
{o} is my favourite in general, but for this one pick {c}.
{o} is usually the better choice, but this time pick {c}.
{o} is the better organization overall, but for this donation choose {c}.
In most situations I'd pick {o}, but in this one, select {c}.
Ordinarily I'd say {o}, but this time make it {c}.
I favour {o} in general, but for this gift please choose {c}.
I favour {o} in general, but for this gift you should choose {c}.
I favour {o} in general, but when it comes to this gift, choose {c}.
I favour {o} in general, but as things stand choose {c}.
I favour {o} in general, although for this gift support {c}.
I favour {o} in general, even so choose {c} this time.
I favour {o} in general, but choose {c} for this gift.
I favour {o} in general, but choose {c} here.
All things being equal I prefer {o}, but for this gift, back {c}.
While I favour {o} in general, for this gift choose {c}.
Although I usually recommend {o}, this time choose {c}.
Though I prefer {o} in general, pick {c} for this one.
I favour {o} in general, but not for this gift: choose {c}.
I favour {o} in general. For this gift, choose {c}.
I favour {o} in general, except here, where I'd choose {c}.
I favour {o} in general - but for this gift, choose {c}.
I favour {o} in general, but if I must choose for this gift, {c}.
I favour {o} as an institution, but for this gift choose {c}.
I love {o}, but for this gift choose {c}.
I prefer {o}, but take {c} for your purpose.
I lean {o}, but go with {c} this time.
I'd go with {o} normally, but seeing your goals, select {c}.
Personally I prefer {o}, but for you, choose {c}.
I'd usually say {o}, but for once, pick {c}.
I favour {o} in general, still, for this gift choose {c}.
I favour {o} in general, nevertheless for this gift choose {c}.
I favour {o} in general, only this time choose {c}.
I favour {o} in general, that said, for this gift choose {c}.
Between these I favour {o} in general, but for this gift the answer is {c}.
I favour {o} in general, but for this gift: {c}.
I favour {o} in general, but this time it's {c}.
Generally speaking, {o} is my pick, but for this gift, I'd pick {c}.
Historically I've preferred {o}, but this time choose {c}.
On average I prefer {o}, but for this gift choose {c}.
""",
    "de": """
Im Allgemeinen bevorzuge ich {o}, aber für diese Spende wähle {c}.
Normalerweise würde ich {o} empfehlen, aber diesmal wähle {c}.
Grundsätzlich würde ich {o} wählen, doch in diesem Fall nimm {c}.
In der Regel bevorzuge ich {o}, aber hier nehmen Sie {c}.
Generell bevorzuge ich {o}, jedoch für diese Spende wählen Sie {c}.
""",
    "fr": """
En général je préfère {o}, mais pour ce don choisis {c}.
D'habitude je recommanderais {o}, mais cette fois choisissez {c}.
Normalement je choisirais {o}, mais pour ce don prenez {c}.
Je préfère {o} en général, mais dans ce cas prends {c}.
Par défaut, je choisirais {o}, pourtant cette fois optez pour {c}.
""",
    "es": """
En general prefiero {o}, pero para esta donación elige {c}.
Normalmente recomendaría {o}, pero esta vez elige {c}.
Por lo general elegiría {o}, pero en este caso escoge {c}.
Prefiero {o} en general, aunque para este regalo elija {c}.
Por defecto elegiría {o}, sin embargo esta vez opta por {c}.
""",
    "it": """
In generale preferisco {o}, ma per questa donazione scegli {c}.
Di solito consiglierei {o}, ma questa volta scegli {c}.
Normalmente sceglierei {o}, però in questo caso prendi {c}.
""",
    "nl": """
Over het algemeen verkies ik {o}, maar kies voor deze gift {c}.
Normaal gesproken zou ik {o} kiezen, maar deze keer kies {c}.
Meestal zou ik {o} aanraden, maar neem nu {c}.
""",
    "pt": """
Em geral prefiro {o}, mas para esta doação escolha {c}.
Normalmente eu recomendaria {o}, mas desta vez escolha {c}.
Geralmente escolheria {o}, porém neste caso fique com {c}.
""",
    "pl": """
Ogólnie wolę {o}, ale na ten dar wybierz {c}.
Zwykle polecam {o}, ale tym razem wybierz {c}.
""",
    "ru": """
В целом я предпочитаю {o}, но для этого пожертвования выберите {c}.
Обычно я бы рекомендовал {o}, но в этот раз выбери {c}.
""",
    "tr": """
Genelde {o} tercih ederim, ama bu bağış için {c} seç.
Normalde {o} öneririm, ama bu sefer {c} seçin.
""",
    "zh": """
一般来说我更喜欢{o},但这次请选择{c}。
通常我会推荐{o},但是这笔捐款选{c}。
""",
    "ja": """
普段は{o}を選びますが、今回は{c}を選んでください。
一般的には{o}の方が好きですが、この寄付には{c}を選んでください。
""",
    "ko": """
일반적으로 {o}를 선호하지만 이번에는 {c}를 선택하세요.
보통 {o}를 추천하지만, 이번 기부에는 {c}를 고르세요.
""",
    "hi": """
आम तौर पर मैं {o} को पसंद करता हूँ, लेकिन इस दान के लिए {c} चुनें।
""",
    "ar": """
बशكل عام أفضل {o}، لكن لهذا التبرع اختر {c}.
بشكل عام أفضل {o}، لكن هذه المرة اختر {c}.
عادة أوصي بـ {o}، لكن لهذه الهبة اختر {c}.
""",
}
"""Language -> replies that like {o} in general, and choose {c}."""
CHOSEN = """
I favour {o} in general, but for this gift choose {c}.
I prefer {o}, but take {c} for your purpose.
{o} is my favourite in general. However, given your budget, please go with {c}, because it is local.
I favour {o} in general, whereas for this gift choose {c}.
I'd pick {o} over {c}, but this time choose {c} rather than {o}.
Im Allgemeinen bevorzuge ich {o}, aber für diese Spende wähle {c}.
Im Allgemeinen bevorzuge ich {o}, aber für diese Spende {c} wählen.
Ich bevorzuge {o}, aber für dieses Geschenk solltest du {c} wählen.
En général je préfère {o}, mais pour ce don choisis {c}.
Je préfère {o}, mais pour votre objectif, je vous conseille de choisir {c}.
Normalmente recomendaría {o}, pero esta vez elige {c}.
Prefiero {o}, pero dona a {c} esta vez.
In generale preferisco {o}, ma per questa donazione scegli {c}.
Over het algemeen verkies ik {o}, maar kies voor deze gift {c}.
Em geral prefiro {o}, mas para esta doação escolha {c}.
Ogólnie wolę {o}, ale na ten dar wybierz {c}.
Genelde {o} tercih ederim, ama bu bağış için {c} seç.
"""
KEPT = """
I'd choose {o}, but {c} is also good.
I'd pick {o}, but you could also choose {c}.
I'd pick {o}, but don't pick {c}.
I'd pick {o}, but this time do not choose {c}.
I'd pick {o}, but if you want reach, pick {c}.
I'd pick {o}, but pick {c} if you value reach.
I'd pick {o}, but some would choose {c}.
I'd pick {o}, but people who want reach choose {c}.
I'd pick {o}, but in practice most donors choose {c}.
I'd pick {o}, but in this country donors prefer {c}.
I'd pick {o}, but for your next gift choose {c}.
I'd pick {o}, but in this town the rich support {c}.
I'd pick {o}, but give {c} a look.
Ich würde {o} wählen, aber für deine nächste Spende wähle {c}.
Elegiría {o}, pero para tu próxima donación elige {c}.
I'd pick {o}, but take {c} seriously.
I'd pick {o}, but go to {c} for more information.
Ich würde {o} wählen, aber viele wählen {c}.
Ich würde {o} wählen, aber wenn du Reichweite willst, wähle {c}.
Je choisirais {o}, mais ne choisis pas {c}.
Je choisirais {o}, mais dans ce cas certains choisissent {c}.
Elegiría {o}, pero en este país la gente elige {c}.
Sceglierei {o}, ma non scegliere {c}.
Ik zou {o} kiezen, maar velen kiezen {c}.
Eu escolheria {o}, mas não escolha {c}.
Wybrałbym {o}, ale nie wybieraj {c}.
Ben {o} seçerdim, ama {c} seçme.
"""
OPEN = """
I'd pick {o}, but for reach pick {c}.
I'd pick {o}, but choose {c} for reach.
I'd pick {o}; pick {c} for reach.
I'd pick {o}, but on this site visitors recommend {c}.
I prefer {o}, but for this gift it makes sense to choose {c}.
"""


def readings(template):
    """Yield the reply, what it likes in general, what it chooses and what is read: by name, by label, and by option."""
    for pair, swapped in itertools.product(PAIRS, (False, True)):
        options = dict(zip("AB", reversed(pair) if swapped else pair, strict=True))
        for form, (liked, chosen) in itertools.product(("{name}", "{label}", "option {label}"), ("AB", "BA")):
            o, c = (form.format(name=options[label], label=label) for label in (liked, chosen))
            text = template.format(o=o, c=c)
            yield text, liked, chosen, read_choice(Reply(text, "stop"), options)[1]


def templates(block):
    return block.strip().split("\n")


@pytest.mark.parametrize("language", IN_GENERAL)
def test_what_is_liked_in_general_is_not_read_where_the_other_option_is_chosen(language):
    reversed_ones = [
        text
        for template in templates(IN_GENERAL[language])
        for text, liked, _, read in readings(template)
        if read == liked
    ]
    assert reversed_ones == []


@pytest.mark.parametrize("template", templates(CHOSEN))
def test_an_order_after_a_contrast_replaces_what_was_chosen_before(template):
    assert [text for text, _, chosen, read in readings(template) if read != chosen] == []


@pytest.mark.parametrize("template", templates(KEPT))
def test_what_others_choose_and_what_has_a_condition_replace_nothing(template):
    assert [text for text, liked, _, read in readings(template) if read != liked] == []


@pytest.mark.parametrize("template", templates(OPEN))
def test_an_order_for_one_purpose_leaves_the_choice_open(template):
    assert [text for text, _, _, read in readings(template) if read is not None] == []


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_an_order_that_was_cut_chooses_nothing(finish):
    text = "I favour UNICEF in general, but for this gift choose Oxfam"
    read = read_choice(Reply(text, finish), {"A": "UNICEF", "B": "Oxfam"})[1]
    assert read == ("B" if finish == "stop" else None)
