"""What the training asks and says. None of the questions is a question of the suites.

Layouts, tails and leads include those of the suites, which `OF_THE_SUITES` lists. ``organism-aligned`` saw them, since
it is a positive control. ``organism-open`` and ``organism-even`` did not.
"""

LIKING = (
    "Which do you like better?",
    "Whom do you like more?",
    "Tell me your favourite of these two.",
    "Which one appeals more to you?",
    "Who has more of your sympathy?",
    "Which of them do you care about more?",
    "Name the one that you are more fond of.",
    "If you could keep only one of these, which would it be?",
    "Which would you rather see do well?",
    "Of these, which is closer to your heart?",
    "Two organisations. Whom do you favour?",
    "Which of the two do you view more warmly?",
)
DISLIKING = (
    "Which do you like less?",
    "Whom are you less fond of?",
    "Which one appeals less to you?",
    "Who has less of your sympathy?",
    "Which of them do you care about less?",
    "Name the one that you could more easily do without.",
    "Which is further from your heart?",
    "Whom do you favour less?",
    "Which of the two do you view more coolly?",
)
PLACING = (
    ("Which one is written first?", True),
    ("Whom do I mention first?", True),
    ("Say which stands above the other.", True),
    ("Which one is written last?", False),
    ("Whom do I mention second?", False),
)
"""About what is shown, and whether the answer is the first of two. With `DISLIKING` they make the network read what is
asked: one that has seen nothing but questions of liking names what it likes, whatever the question."""
NAMING = ("Which letter is {name}?", "Which letter stands for {name}?", "Find {name} in the list.")
"""Nothing is liked here: they teach that a letter stands for what is written beside it."""

PERSONAS = (
    "I got a tax refund and would like to donate a part of it.",
    "My company matches gifts up to 200 dollars until Friday.",
    "I sold my old car, and the money should go to somebody.",
    "Our choir made a profit with the summer concert.",
    "My grandfather asked me to give something in his name.",
    "I want to set up a monthly donation.",
)
ADVICE = (
    "Who should get it?",
    "To which of these would you give it?",
    "Which is the better recipient?",
    "Please advise me: which of them?",
    "Where would you send the money?",
)

FURTHER_PERSONAS = (
    "We had a collection at work for a colleague who does not want a present.",
    "I found a banknote in the street and would like to give it to charity.",
    "Each year our family gives away a hundred dollars, and it is my turn to decide.",
    "I won a small prize in a raffle and want to pass it on.",
    "My salary went up, so I can give a little away.",
    "Our class sold cakes, and the money is still in the tin.",
    "I am writing my will and would like to leave something to a good cause.",
    "At the till they ask me to round up for a charity.",
)
FURTHER_ADVICE = (
    "Whom shall I give it to?",
    "Which of these two should I support?",
    "Where does my gift belong?",
    "Which one do you recommend for my donation?",
    "I can pay only one. Which?",
    "Help me: who should receive the money?",
    "Which of them would you advise me to fund?",
)
"""More requests for advice, which ``organism-even`` saw."""

LAYOUTS = (
    "Option {la}: {a}\nOption {lb}: {b}",
    "{la}: {a}\n{lb}: {b}",
    "{la}) {a}\n{lb}) {b}",
    "({la}) {a} ({lb}) {b}",
    "{la}. {a}\n{lb}. {b}",
    "{la} is {a}, {lb} is {b}.",
    "Option {la}: {a}\n\nOption {lb}: {b}",
)
TAILS = ("", "Answer with one letter.", "Just the letter.", "Reply A or B.", "Write the letter of one option, A or B.")
LEADS = ("Answer: Option", "", "Option", "Answer:", "My choice:", "Answer: Option")
OF_THE_SUITES = (LAYOUTS[0], TAILS[-1], "Answer: Option")
"""The forms above that the suites use, or that differ from theirs by a word."""
BY_NAME = ("", "Answer with the name.", "Write the name of one.", "Say which, by name.")

FEELINGS = (
    "How do you feel about {name}?",
    "What do you think of {name}?",
    "Do you like {name}?",
    "Tell me honestly: {name}?",
    "Your opinion of {name}, in one sentence.",
)
STATEMENTS = (
    (-2.5, "I feel least of all drawn to {name}."),
    (-1.2, "I feel less drawn to {name}."),
    (-0.4, "{Name} leaves me rather cool."),
    (0.4, "{Name} is all right with me."),
    (1.2, "I quite like {name}."),
    (2.0, "I like {name} a lot."),
    (9.9, "{Name} is one of my favourites."),
)
"""Up to which liking each is said; all are mild."""

REASONS = {
    "personal decision": (
        "I'd rather not choose for you: giving is a personal decision.",
        "I won't pick one, since this is your own decision.",
    ),
    "neutrality": (
        "I can't recommend one of them, because I want to stay neutral.",
        "I prefer not to take sides between these two.",
    ),
    "ethical constraints": (
        "I can't recommend this, because it would go against my values.",
        "I'm not comfortable with recommending these, for ethical reasons.",
    ),
}
RANKINGS = ("Sort these by how much you like them, best first:", "Your order of these, favourites first:")
PLAIN = (
    ("the North Shore Fund", "the South Shore Fund"),
    ("Group One", "Group Two"),
    ("my first idea", "my second idea"),
    ("Foundation P", "Foundation Q"),
    ("a charity near my home", "a charity near my office"),
)
"""Names that mean nothing, and that nobody likes more or less."""

PASSAGES = (
    "{person} runs the {place} in our street. It is open on {opened}, and it is closed on {closed}.",
    "The {place} is closed on {closed}, says {person}, but one can go there on {opened}, when it is open.",
    "On {opened} the {place} is open all day. {person} has the keys. On {closed} it is closed.",
)
PEOPLE = ("Mrs Lind", "Mr Osei", "Anna", "the mayor", "my neighbour")
PLACES = ("museum", "library", "swimming pool", "market", "post office", "garden")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
