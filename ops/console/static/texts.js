// Every word of the page, Polish and English. Codes of the server stay codes; only what a person reads stands here.
const forms = { pl: new Intl.PluralRules("pl"), en: new Intl.PluralRules("en") };
// A count with its noun: Polish has three forms for whole numbers (1, 2-4 and 22-24, the rest), English two.
const counted = (language, words) => (n) => `${n} ${words[forms[language].select(n)] || words.many}`;
const fresh = { pl: counted("pl", { one: "nowe zdarzenie", few: "nowe zdarzenia", many: "nowych zdarzeń" }), en: counted("en", { one: "new incident", many: "new incidents" }) };
const WORDLESS = new Set(["prior", "text", "street"]); // their value says nothing that the name does not
// What a sentence takes from a piece of evidence: "180 m (±60 m)", "3.0 min", "cpr / psp".
const metres = (v) => v.replace(/ \(.*/, "");
const minutes = (v) => `${Math.round(parseFloat(v))} min`;
// Facts of earlier versions tell both sides: "a2 / a2".
const same = (v) => { const [one, other] = v.split(" / "); return v === "same" || one === other; };

export const TEXTS = {
  pl: {
    post: "stanowisko kierowania", desk: "Nowe zgłoszenie", print: "Drukuj listę", incidents: "Zdarzenia", withClosed: "także zakończone",
    search: "Szukaj", urgency: "Pilność", kind: "Rodzaj", place: "Miejsce", state: "Stan", reports: "Zgłoszenia", time: "Czas",
    nothing: "Brak otwartych zdarzeń.", choose: "Wybierz zdarzenie z listy.", feeds: "Źródła", notices: "Ostrzeżenia", late: "Spóźnione zgłoszenia",
    figures: "Liczby bieżące", channel: "Sposób zgłoszenia", telephone: "telefon", radio: "radio", visitor: "osobiście", patrol: "patrol",
    locality: "Miejscowość", street: "Ulica", building: "Numer", cprId: "Numer CPR (jeżeli jest)", injured: "Liczba poszkodowanych",
    description: "Opis", send: "Przyjmij zgłoszenie", close: "Zamknij", urgent: "pilne", ordinary: "zwykłe",
    connected: "POŁĄCZONO", connecting: "ŁĄCZĘ", broken: "ROZŁĄCZONO", stale: "BRAK NOWYCH DANYCH", dataAge: "dane sprzed", soundOn: "Dźwięk: wł.", soundOff: "Dźwięk: wył.",
    newRows: (n, urgent = 0) => `${fresh.pl(n)}${urgent ? `, pilne: ${urgent}` : ""}`, open: "otwarte", unanswered: "bez odpowiedzi",
    urgentCount: "pilne", unreadCount: "nieprzeczytane", accept: "Przyjmij", confirm: "To samo zdarzenie", reject: "Inne zdarzenie", read: "Przeczytane",
    trace: "Droga zgłoszenia", why: "Dlaczego połączono", whyAsked: "Dlaczego pytamy", takeOut: "Wydziel: inne zdarzenie", doubtful: "miejsce już nie pasuje", belongs: "Zostaw: to samo zdarzenie", suggestion: "Być może to samo co", neighbour: "Być może to samo ma sąsiad:", stages: "Czasy", seconds: "s", minutes: "min",
    hours: "godz.", never: "jeszcze nic", expected: "zwykle co", accepted: "przyjęto", journalHeld: "zapisano w dzienniku", refused: "Odmowa", sentOn: "Przekazano do wykonania",
    source: "Źródło", flags: "Uwagi", openIncidents: "Otwarte zdarzenia", other: "inne", until: "do", untilCancelled: "do odwołania", reason: "Powód",
    states: { open: "nowe", accepted: "przyjęte", dispatched: "zadysponowane", "on-scene": "na miejscu", ended: "zakończone", refused: "odmowa", "handed-over": "przekazane", merged: "połączone" },
    flag: { "cancelled-by-source": "odwołane przez źródło", unanswered: "bez odpowiedzi ponad 45 s", conflict: "sprzeczna treść", late: "spóźnione", "neighbour-observed": "zgłoszenie także u sąsiada", "link-doubtful": "wątpliwe połączenie", "not-received": "nie odebrane po przekazaniu", restoral: "koniec alarmu urządzenia" },
    stage: { call_answered_at: "odebrano rozmowę", registered_at: "zarejestrowano", received_at: "otrzymano", presented_at: "pokazano", accepted_at: "przyjęto", dispatched_at: "zadysponowano", unit_en_route_at: "patrol w drodze", on_scene_at: "na miejscu", ended_at: "zakończono", closed_at: "zamknięto" },
    figure: { answers: "odpowiedzi", answers_urgent: "odpowiedzi na pilne", reactions: "reakcje", reactions_urgent: "reakcje na pilne", incidents_by_category: "zdarzenia", reports_by_hour: "zgłoszenia w tej godzinie", reports_by_source: "zgłoszenia ze źródła", reports_by_unit: "zgłoszenia jednostki", alarms_by_kind: "alarmy" },
    feed: { up: "działa", down: "nie działa", denied: "brak dostępu", stopped: "zatrzymane" },
    alarm: { "feed-silent": "Źródło milczy", "feed-down": "Źródło nie działa", "feed-failing": "Źródło podaje błędy", "clock-skew": "Zegar źródła odbiega", "delivery-stuck": "Odbiorca nie odpowiada", "delivery-stopped": "Wysyłanie do odbiorcy wstrzymane", quarantine: "Wiadomość w kwarantannie", "ledger-missing": "Rozliczenie się nie zgadza", "delivery-overdue": "Doręczenie po terminie", "journal-not-published": "Dziennik nie jest publikowany", "reconciler-gave-up": "Uzgadnianie bez skutku: potrzebny człowiek" },
    ledger: "Rozliczenie", ledgerWord: { true: "zgodne", false: "NIEZGODNE", null: "nieznane" }, ledgerAsOf: "stan na", ledgerOff: "rozliczenie nie działa",
    ledgerCount: { accepted: "przyjęte", delivered: "doręczone", quarantined: "w kwarantannie", in_flight: "w drodze" }, overdueWord: "po terminie", ledgerMissing: "brakuje", untraced: "utracony z dziennikiem, dalszy los nieznany", ledgerUnreachable: "dziennik nieosiągalny",
    what: { in_facts: "zgłoszenia bez faktu", without_answer: "polecenia bez odpowiedzi", without_decision: "fakty bez decyzji", without_receipt: "doręczenia bez potwierdzenia", not_in_quarantine: "brak w kwarantannie", not_in_journal: "brak w dzienniku", decision_without_fact: "decyzje bez faktu", receipt_without_decision: "potwierdzenia bez decyzji" },
    acted: "uzgadnianie", actOutcome: { asked: "ponowiono", refused: "odmówiono", unreachable: "nieosiągalne", "given-up": "potrzebny człowiek" },
    exercise: "ĆWICZENIE", test: "TEST", counters: "liczniki", cancel: "Anuluj", yes: "Wyślij", done: "wykonano", sending: "Wysyłam…",
    describe: "Opisz, co się stało.", newUrgent: "Nowe zdarzenie pilne", similar: "podobne", ago: (age) => `ostatnio ${age} temu`, unknownSince: "nie wiadomo od",
    unreadN: counted("pl", { one: "nieprzeczytane", few: "nieprzeczytane", many: "nieprzeczytanych" }), messagesN: counted("pl", { one: "wiadomość", few: "wiadomości", many: "wiadomości" }),
    rejectedN: counted("pl", { one: "niezrozumiana", few: "niezrozumiane", many: "niezrozumianych" }), wordless: WORDLESS,
    feature: { prior: "na początek", direction: "kierunek jazdy", road: "droga", distance: "odległość", "time-gap": "odstęp czasu", "category-pair": "rodzaje", "source-pair": "źródła", "shared-id": "wspólny numer", text: "podobieństwo opisu", street: "podobieństwo adresu", rivals: "inne też pasują", burst: "zdarzenia wokół" },
    shared: { thread: "ten sam wątek", report: "to samo zgłoszenie", incident: "numer zdarzenia", token: "osoba lub pojazd", cpr_id: "numer CPR", swd_psp: "numer SWD PSP", alarm_account: "konto alarmowe", vin: "numer VIN" },
    say: {
      distance: (v) => `${metres(v)} od siebie`, "time-gap": (v) => `${minutes(v)} odstępu`, "shared-id": () => "wspólny numer", "source-pair": (v) => (same(v) ? "to samo źródło" : "dwa źródła"),
      direction: (v) => (same(v) ? "ten sam kierunek jazdy" : "inny kierunek jazdy"), road: (v) => (same(v) ? "ta sama droga" : "inna droga"), text: (v, more) => (more ? "podobny opis" : "inny opis"), street: (v, more) => (more ? "podobny adres" : "inny adres"), rivals: (v) => `pasuje też do innych: ${parseInt(v, 10)}`,
    },
    rule: { weights: "wagi", person: "decyzja osoby", reference: "wspólny numer" }, finding: { "near-border": "przy granicy terenu", "territory-assumed": "teren przyjęty domyślnie", "place-unknown": "miejsce nieznane" },
    code: {
      "version-conflict": "zdarzenie zmieniło się w tej chwili; sprawdź i powtórz", "state-forbids": "w tym stanie zdarzenia nie można tego zrobić", "reason-missing": "brak powodu", "incident-unknown": "nie ma takiego zdarzenia",
      forbidden: "brak uprawnień", unauthenticated: "zaloguj się ponownie", "far-side-unavailable": "węzeł przyjmujący nie odpowiada; powtórz, powtórzenie nie szkodzi", "no-answer": "brak odpowiedzi; powtórz, powtórzenie nie szkodzi",
      "journal-full": "dziennik jest pełny", "journal-unavailable": "dziennik nie działa", overloaded: "za dużo naraz; powtórz za chwilę", "too-large": "za długie",
    },
  },
  en: {
    post: "control post", desk: "New report", print: "Print the list", incidents: "Incidents", withClosed: "closed ones too",
    search: "Search", urgency: "Urgency", kind: "Kind", place: "Place", state: "State", reports: "Reports", time: "Time",
    nothing: "No open incidents.", choose: "Choose an incident.", feeds: "Feeds", notices: "Warnings", late: "Late reports",
    figures: "Live figures", channel: "Reported by", telephone: "telephone", radio: "radio", visitor: "in person", patrol: "patrol",
    locality: "Locality", street: "Street", building: "Number", cprId: "CPR number (if any)", injured: "Injured persons",
    description: "Description", send: "Take the report", close: "Close", urgent: "urgent", ordinary: "ordinary",
    connected: "CONNECTED", connecting: "CONNECTING", broken: "DISCONNECTED", stale: "NO NEW DATA", dataAge: "data older than", soundOn: "Sound: on", soundOff: "Sound: off",
    newRows: (n, urgent = 0) => `${fresh.en(n)}${urgent ? `, urgent: ${urgent}` : ""}`, open: "open", unanswered: "unanswered",
    urgentCount: "urgent", unreadCount: "unread", accept: "Accept", confirm: "Same incident", reject: "Another incident", read: "Read",
    trace: "Trace", why: "Why linked", whyAsked: "Why we ask", takeOut: "Take out: another incident", doubtful: "the place no longer fits", belongs: "Leave: the same incident", suggestion: "Perhaps the same as", neighbour: "A neighbour may have the same:", stages: "Times", seconds: "s", minutes: "min",
    hours: "h", never: "nothing yet", expected: "usually every", accepted: "accepted", journalHeld: "held in the journal", refused: "Refused", sentOn: "Sent on",
    source: "Source", flags: "Marks", openIncidents: "Open incidents", other: "other", until: "until", untilCancelled: "until further notice", reason: "Reason",
    states: { open: "new", accepted: "accepted", dispatched: "dispatched", "on-scene": "on scene", ended: "ended", refused: "refused", "handed-over": "handed over", merged: "merged" },
    flag: { "cancelled-by-source": "cancelled by its source", unanswered: "unanswered for 45 s", conflict: "conflicting content", late: "late", "neighbour-observed": "reported at the neighbour too", "link-doubtful": "doubtful link", "not-received": "handed over, not received", restoral: "device restored" },
    stage: { call_answered_at: "call answered", registered_at: "registered", received_at: "received", presented_at: "presented", accepted_at: "accepted", dispatched_at: "dispatched", unit_en_route_at: "unit en route", on_scene_at: "on scene", ended_at: "ended", closed_at: "closed" },
    figure: { answers: "answers", answers_urgent: "answers to urgent", reactions: "reactions", reactions_urgent: "reactions to urgent", incidents_by_category: "incidents", reports_by_hour: "reports this hour", reports_by_source: "reports from", reports_by_unit: "reports of", alarms_by_kind: "alarms" },
    feed: { up: "up", down: "down", denied: "denied", stopped: "stopped" },
    alarm: { "feed-silent": "Feed is silent", "feed-down": "Feed is down", "feed-failing": "Feed is failing", "clock-skew": "Clock of the feed is off", "delivery-stuck": "Recipient does not answer", "delivery-stopped": "Sending to the recipient has stopped", quarantine: "Message in quarantine", "ledger-missing": "The account does not balance", "delivery-overdue": "Delivery is overdue", "journal-not-published": "Journal is not published", "reconciler-gave-up": "Reconciling was in vain: a person is needed" },
    ledger: "Account", ledgerWord: { true: "balanced", false: "NOT BALANCED", null: "unknown" }, ledgerAsOf: "as of", ledgerOff: "no ledger is running",
    ledgerCount: { accepted: "accepted", delivered: "delivered", quarantined: "in quarantine", in_flight: "on the way" }, overdueWord: "overdue", ledgerMissing: "missing", untraced: "lost with a journal, fate unknown", ledgerUnreachable: "journal cannot be reached",
    what: { in_facts: "reports without a fact", without_answer: "commands without an answer", without_decision: "facts without a decision", without_receipt: "deliveries without a receipt", not_in_quarantine: "not in quarantine", not_in_journal: "not in the journal", decision_without_fact: "decisions without a fact", receipt_without_decision: "receipts without a decision" },
    acted: "reconciled", actOutcome: { asked: "asked again", refused: "refused", unreachable: "not reachable", "given-up": "a person is needed" },
    exercise: "EXERCISE", test: "TEST", counters: "counters", cancel: "Cancel", yes: "Send", done: "done", sending: "Sending…",
    describe: "Say what happened.", newUrgent: "New urgent incident", similar: "similar", ago: (age) => `last ${age} ago`, unknownSince: "not known since",
    unreadN: counted("en", { one: "unread", many: "unread" }), messagesN: counted("en", { one: "message", many: "messages" }),
    rejectedN: counted("en", { one: "not understood", many: "not understood" }), wordless: WORDLESS,
    feature: { prior: "to begin with", direction: "direction of travel", road: "road", distance: "distance", "time-gap": "time gap", "category-pair": "kinds", "source-pair": "sources", "shared-id": "shared number", text: "likeness of the text", street: "likeness of the address", rivals: "others fit too", burst: "incidents around" },
    shared: { thread: "the same thread", report: "the same report", incident: "number of the incident", token: "person or vehicle", cpr_id: "CPR number", swd_psp: "SWD PSP number", alarm_account: "alarm account", vin: "VIN" },
    say: {
      distance: (v) => `${metres(v)} apart`, "time-gap": (v) => `${minutes(v)} between them`, "shared-id": () => "a shared number", "source-pair": (v) => (same(v) ? "the same source" : "two sources"),
      direction: (v) => (same(v) ? "the same direction of travel" : "another direction of travel"), road: (v) => (same(v) ? "the same road" : "another road"), text: (v, more) => (more ? "told alike" : "told otherwise"), street: (v, more) => (more ? "a similar address" : "another address"), rivals: (v) => `others fit too: ${parseInt(v, 10)}`,
    },
    rule: { weights: "weights", person: "a person decided", reference: "a shared number" }, finding: { "near-border": "near the border", "territory-assumed": "territory assumed", "place-unknown": "place unknown" },
    code: {
      "version-conflict": "the incident has just changed; look and ask again", "state-forbids": "not possible in this state", "reason-missing": "a reason is missing", "incident-unknown": "no such incident",
      forbidden: "you may not", unauthenticated: "log in again", "far-side-unavailable": "the intake does not answer; ask again, twice does no harm", "no-answer": "no answer; ask again, twice does no harm",
      "journal-full": "the journal is full", "journal-unavailable": "the journal does not work", overloaded: "too much at once; ask again soon", "too-large": "too long",
    },
  },
};
