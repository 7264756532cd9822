package program

import "strings"

// everyKey are the scopes of all API keys, for what every one of them may do.
const (
	nobodysKeys = ""
	everyKey    = "READ CHAT INGEST"
)

// right is what the matrix of rights says of one field of the contract: how it is asked for, and who may.
type right struct {
	ask  func(*belongings) string // with ids of the owner's, which are made anew for everybody who may
	keys string                   // the scopes of the API keys that may
	// public: what it does depends on its arguments alone, and whoever may send anything may send it. refuses, where
	// it is set, is what such a field says to these arguments.
	public  bool
	refuses string
	// stranger is what somebody else gets who is signed in: NOT_FOUND, or "ok" where it is about whoever asks.
	stranger string
	nobody   string // what nobody gets; UNAUTHENTICATED where it is empty
	reads    bool   // nothing is changed, whoever asks
}

// rightsOfRoots has every field of Query, Mutation and Subscription.
var rightsOfRoots = map[string]right{
	"Query.node":         {ask: func(b *belongings) string { return `{ node(id: "` + b.bot() + `") { id } }` }, keys: everyKey, stranger: "null", reads: true},
	"Query.nodes":        {ask: func(b *belongings) string { return `{ nodes(ids: ["` + b.bot() + `"]) { id } }` }, keys: everyKey, stranger: "null", reads: true},
	"Query.viewer":       {ask: func(*belongings) string { return `{ viewer { id email } }` }, keys: everyKey, stranger: "ok", nobody: "null", reads: true},
	"Query.bot":          {ask: func(b *belongings) string { return `{ bot(id: "` + b.bot() + `") { id } }` }, keys: everyKey, reads: true},
	"Query.conversation": {ask: func(b *belongings) string { return `{ conversation(id: "` + b.conversation() + `") { id } }` }, keys: "READ CHAT", reads: true},
	"Query.document":     {ask: func(b *belongings) string { return `{ document(id: "` + b.document() + `") { id text } }` }, keys: "READ INGEST", reads: true},
	"Query.message":      {ask: func(b *belongings) string { return `{ message(id: "` + b.answer() + `") { id text } }` }, keys: "READ CHAT", reads: true},
	"Query.export":       {ask: func(b *belongings) string { return `{ export(id: "` + b.export() + `") { id url } }` }, reads: true},
	"Query.serverInfo":   {ask: func(*belongings) string { return `{ serverInfo { version } }` }, public: true, reads: true},
	"Query.rateLimit":    {ask: func(*belongings) string { return `{ rateLimit { cost } }` }, public: true, reads: true},

	"Mutation.registerUser": {ask: func(*belongings) string {
		return `mutation { registerUser(input: {email: "no address", password: "` + password + `", name: "A"}) { errors { code } } }`
	}, public: true, refuses: "payload VALIDATION"},
	"Mutation.logIn": {ask: func(*belongings) string {
		return `mutation { logIn(input: {email: "no address", password: "` + password + `"}) { errors { code } } }`
	}, public: true, refuses: "payload INVALID_CREDENTIALS"},
	"Mutation.refreshSession": {ask: func(*belongings) string {
		return `mutation { refreshSession(input: {refreshToken: "x"}) { errors { code } } }`
	}, public: true, refuses: "payload INVALID_TOKEN"},
	"Mutation.requestPasswordReset": {ask: func(*belongings) string {
		return `mutation { requestPasswordReset(input: {email: "no address"}) { errors { code } } }`
	}, public: true, refuses: "payload VALIDATION"},
	"Mutation.resetPassword": {ask: func(*belongings) string {
		return `mutation { resetPassword(input: {token: "x", newPassword: "` + password + `"}) { errors { code } } }`
	}, public: true, refuses: "payload INVALID_TOKEN"},
	"Mutation.requestEmailVerification": {ask: func(*belongings) string {
		return `mutation { requestEmailVerification(input: {email: "no address"}) { errors { code } } }`
	}, public: true, refuses: "payload VALIDATION"},
	"Mutation.verifyEmail": {ask: func(*belongings) string {
		return `mutation { verifyEmail(input: {token: "x"}) { errors { code } } }`
	}, public: true, refuses: "payload INVALID_TOKEN"},
	"Mutation.confirmEmailChange": {ask: func(*belongings) string {
		return `mutation { confirmEmailChange(input: {token: "x"}) { errors { code } } }`
	}, public: true, refuses: "payload INVALID_TOKEN"},
	"Mutation.revertEmailChange": {ask: func(*belongings) string {
		return `mutation { revertEmailChange(input: {token: "x"}) { errors { code } } }`
	}, public: true, refuses: "payload INVALID_TOKEN"},
	"Mutation.reactivateAccount": {ask: func(*belongings) string {
		return `mutation { reactivateAccount(input: {token: "x"}) { errors { code } } }`
	}, public: true, refuses: "payload INVALID_TOKEN"},

	// What is about the account is for people alone. Of these the owner's turn is the last one, and the arguments are such
	// that the account stays in use: what the mutations do is shown elsewhere.
	"Mutation.updateProfile": {ask: func(*belongings) string {
		return `mutation { updateProfile(input: {name: "Ada"}) { user { id } errors { code } } }`
	}, stranger: "ok"},
	"Mutation.changePassword": {ask: func(*belongings) string {
		return `mutation { changePassword(input: {currentPassword: "not the password", newPassword: "` + password + ` 2"}) { user { id } errors { code } } }`
	}, stranger: "payload INVALID_CREDENTIALS"},
	"Mutation.requestEmailChange": {ask: func(*belongings) string {
		return `mutation { requestEmailChange(input: {password: "not the password", newEmail: "else@example.com"}) { errors { code } } }`
	}, stranger: "payload INVALID_CREDENTIALS"},
	"Mutation.deactivateAccount": {ask: func(*belongings) string {
		return `mutation { deactivateAccount(input: {password: "not the password"}) { errors { code } } }`
	}, stranger: "payload INVALID_CREDENTIALS"},
	"Mutation.revokeOtherSessions": {ask: func(*belongings) string {
		return `mutation { revokeOtherSessions(input: {password: "not the password"}) { errors { code } } }`
	}, stranger: "payload INVALID_CREDENTIALS"},
	"Mutation.createApiKey": {ask: func(*belongings) string {
		return `mutation { createApiKey(input: {name: "k", scopes: [READ], password: "not the password"}) { secret errors { code } } }`
	}, stranger: "payload INVALID_CREDENTIALS"},
	"Mutation.revokeSession": {ask: func(b *belongings) string {
		return `mutation { revokeSession(input: {sessionId: "` + b.session() + `"}) { deletedId errors { code } } }`
	}},
	"Mutation.revokeApiKey": {ask: func(b *belongings) string {
		return `mutation { revokeApiKey(input: {apiKeyId: "` + b.key() + `"}) { deletedId errors { code } } }`
	}},
	"Mutation.logOut": {ask: func(*belongings) string { return `mutation { logOut { loggedOut errors { code } } }` }, stranger: "skip", nobody: "ok"},

	"Mutation.exportMyData": {ask: func(b *belongings) string {
		b.room()
		return `mutation { exportMyData { export { id } errors { code } } }`
	}, stranger: "ok"},
	"Mutation.exportConversations": {ask: func(b *belongings) string {
		b.room()
		return `mutation { exportConversations(input: {botId: "` + b.bot() + `", format: CSV}) { export { id } errors { code } } }`
	}},
	"Mutation.deleteExport": {ask: func(b *belongings) string {
		return `mutation { deleteExport(input: {exportId: "` + b.export() + `"}) { deletedId errors { code } } }`
	}},

	"Mutation.createBot": {ask: func(*belongings) string {
		return `mutation { createBot(input: {name: "B"}) { bot { id } errors { code } } }`
	}, stranger: "ok"},
	"Mutation.updateBot": {ask: func(b *belongings) string {
		return `mutation { updateBot(input: {botId: "` + b.bot() + `", name: "Other"}) { bot { id } errors { code } } }`
	}},
	"Mutation.deleteBot": {ask: func(b *belongings) string {
		return `mutation { deleteBot(input: {botId: "` + b.bot() + `"}) { deletedId errors { code } } }`
	}},

	"Mutation.uploadDocument": {ask: func(b *belongings) string { return "upload " + b.bot() }, keys: "INGEST"},
	"Mutation.createUpload": {ask: func(b *belongings) string {
		return `mutation { createUpload(input: {botId: "` + b.bot() + `", fileName: "tea.txt"}) { upload { url } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.addTextDocument": {ask: func(b *belongings) string {
		return `mutation { addTextDocument(input: {botId: "` + b.bot() + `", title: "t", text: "` + newKey() + `"}) { document { id } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.retryDocument": {ask: func(b *belongings) string {
		return `mutation { retryDocument(input: {documentId: "` + b.canceled() + `"}) { document { id } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.cancelDocument": {ask: func(b *belongings) string {
		return `mutation { cancelDocument(input: {documentId: "` + b.unfinished() + `"}) { document { id } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.deleteDocument": {ask: func(b *belongings) string {
		return `mutation { deleteDocument(input: {documentId: "` + b.document() + `"}) { deletedId errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.addQADocument": {ask: func(b *belongings) string {
		return `mutation { addQADocument(input: {botId: "` + b.bot() + `", question: "` + newKey() + `", answer: "a"}) { document { id } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.resolveGap": {ask: func(b *belongings) string {
		return `mutation { resolveGap(input: {gapId: "` + b.gap() + `", answer: "` + newKey() + `"}) { gap { id } errors { code } } }`
	}},
	"Mutation.dismissGap": {ask: func(b *belongings) string {
		return `mutation { dismissGap(input: {gapId: "` + b.gap() + `"}) { gap { id } errors { code } } }`
	}},
	"Mutation.reprocessDocument": {ask: func(b *belongings) string {
		return `mutation { reprocessDocument(input: {documentId: "` + b.canceled() + `"}) { document { id } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.retryDocuments": {ask: func(b *belongings) string {
		return `mutation { retryDocuments(input: {documentIds: ["` + b.canceled() + `"]}) { results { document { id } errors { code } } errors { code } } }`
	}, keys: "INGEST", stranger: "ok"},
	"Mutation.deleteDocuments": {ask: func(b *belongings) string {
		return `mutation { deleteDocuments(input: {documentIds: ["` + b.canceled() + `"]}) { results { document { id } errors { code } } errors { code } } }`
	}, keys: "INGEST", stranger: "ok"},
	"Mutation.updateChunk": {ask: func(b *belongings) string {
		return `mutation { updateChunk(input: {chunkId: "` + b.chunk() + `", enabled: true}) { chunk { id } errors { code } } }`
	}, keys: "INGEST"},

	"Mutation.addUrlDocument": {ask: func(b *belongings) string {
		return `mutation { addUrlDocument(input: {botId: "` + b.bot() + `", url: "https://` + strings.ToLower(newKey()) + `.invalid/"}) { document { id } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.resyncDocument": {ask: func(b *belongings) string {
		return `mutation { resyncDocument(input: {documentId: "` + b.webpage() + `"}) { document { id } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.setDocumentSync": {ask: func(b *belongings) string {
		return `mutation { setDocumentSync(input: {documentId: "` + b.webpage() + `", intervalHours: 24}) { document { id } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.crawlSite": {ask: func(b *belongings) string {
		return `mutation { crawlSite(input: {botId: "` + b.bot() + `", url: "https://crawled.invalid/"}) { crawl { id } errors { code } } }`
	}, keys: "INGEST"},
	"Mutation.cancelCrawl": {ask: func(b *belongings) string {
		return `mutation { cancelCrawl(input: {crawlId: "` + b.walking() + `"}) { crawl { id } errors { code } } }`
	}, keys: "INGEST"},

	"Mutation.createConversation": {ask: func(b *belongings) string {
		return `mutation { createConversation(input: {botId: "` + b.bot() + `"}) { conversation { id } errors { code } } }`
	}, keys: "CHAT"},
	"Mutation.updateConversation": {ask: func(b *belongings) string {
		return `mutation { updateConversation(input: {conversationId: "` + b.conversation() + `", title: "` + newKey() + `"}) { conversation { id } errors { code } } }`
	}, keys: "CHAT"},
	"Mutation.deleteConversation": {ask: func(b *belongings) string {
		return `mutation { deleteConversation(input: {conversationId: "` + b.conversation() + `"}) { deletedId errors { code } } }`
	}, keys: "CHAT"},
	"Mutation.sendMessage": {ask: func(b *belongings) string {
		return `mutation { sendMessage(input: {conversationId: "` + b.conversation() + `", text: "Hello", clientMessageId: "` + newKey() + `"}) { botMessage { id } errors { code } } }`
	}, keys: "CHAT"},
	"Mutation.stopMessage": {ask: func(b *belongings) string {
		return `mutation { stopMessage(input: {messageId: "` + b.answer() + `"}) { message { id } errors { code } } }`
	}, keys: "CHAT"},
	"Mutation.regenerateMessage": {ask: func(b *belongings) string {
		return `mutation { regenerateMessage(input: {messageId: "` + b.answer() + `", clientMessageId: "` + newKey() + `"}) { botMessage { id } errors { code } } }`
	}, keys: "CHAT"},

	"Mutation.rateMessage": {ask: func(b *belongings) string {
		return `mutation { rateMessage(input: {messageId: "` + b.answer() + `", rating: UP}) { message { id } errors { code } } }`
	}, keys: "CHAT"},

	"Mutation.setBudget": {ask: func(b *belongings) string {
		return `mutation { setBudget(input: {botId: "` + b.bot() + `", period: DAY, maxMessages: 1000}) { budget { resetAt } errors { code } } }`
	}},

	"Subscription.messageStream": {ask: func(b *belongings) string {
		return `subscription { messageStream(messageId: "` + b.answer() + `") { __typename } }`
	}, keys: "READ CHAT", reads: true},
	"Subscription.documentProgress": {ask: func(b *belongings) string {
		return `subscription { documentProgress(documentId: "` + b.document() + `") { status } }`
	}, keys: "READ INGEST", reads: true},
	"Subscription.crawlProgress": {ask: func(b *belongings) string {
		return `subscription { crawlProgress(crawlId: "` + b.crawl() + `") { status } }`
	}, keys: "READ INGEST", reads: true},
	"Subscription.exportProgress": {ask: func(b *belongings) string {
		return `subscription { exportProgress(exportId: "` + b.export() + `") { status } }`
	}, reads: true},
	"Subscription.conversationEvents": {ask: func(b *belongings) string {
		return `subscription { conversationEvents(conversationId: "` + b.conversation() + `") { __typename } }`
	}, keys: "READ CHAT", reads: true},
}

// idsOfRoots says by which field of the matrix an argument or an input's field that takes an id is tried with what is
// somebody else's, or why it is not. Where one field takes several, the others have a line of their own below it.
var idsOfRoots = map[string]string{
	"Query.node(id)": "Query.node", "Query.nodes(ids)": "Query.nodes", "Query.bot(id)": "Query.bot",
	"Query.conversation(id)": "Query.conversation", "Query.document(id)": "Query.document", "Query.message(id)": "Query.message",
	"RevokeSessionInput.sessionId": "Mutation.revokeSession", "RevokeApiKeyInput.apiKeyId": "Mutation.revokeApiKey",
	"UpdateBotInput.botId": "Mutation.updateBot", "DeleteBotInput.botId": "Mutation.deleteBot",
	"UploadDocumentInput.botId": "Mutation.uploadDocument", "AddTextDocumentInput.botId": "Mutation.addTextDocument",
	"CreateUploadInput.botId":       "Mutation.createUpload",
	"RetryDocumentInput.documentId": "Mutation.retryDocument", "CancelDocumentInput.documentId": "Mutation.cancelDocument",
	"DeleteDocumentInput.documentId": "Mutation.deleteDocument",
	"AddQADocumentInput.botId":       "Mutation.addQADocument", "ReprocessDocumentInput.documentId": "Mutation.reprocessDocument",
	"DocumentsInput.documentIds": "Mutation.retryDocuments", "UpdateChunkInput.chunkId": "Mutation.updateChunk",
	"AddUrlDocumentInput.botId": "Mutation.addUrlDocument", "ResyncDocumentInput.documentId": "Mutation.resyncDocument",
	"SetDocumentSyncInput.documentId": "Mutation.setDocumentSync", "CrawlSiteInput.botId": "Mutation.crawlSite",
	"CancelCrawlInput.crawlId": "Mutation.cancelCrawl", "Subscription.crawlProgress(crawlId)": "Subscription.crawlProgress",
	"Query.export(id)": "Query.export", "ExportConversationsInput.botId": "Mutation.exportConversations",
	"DeleteExportInput.exportId": "Mutation.deleteExport", "Subscription.exportProgress(exportId)": "Subscription.exportProgress",
	"ResolveGapInput.gapId": "Mutation.resolveGap", "DismissGapInput.gapId": "Mutation.dismissGap",
	"CreateConversationInput.botId":          "Mutation.createConversation",
	"UpdateConversationInput.conversationId": "Mutation.updateConversation",
	"DeleteConversationInput.conversationId": "Mutation.deleteConversation",
	"SendMessageInput.conversationId":        "Mutation.sendMessage", "SendMessageInput.botId": "also sendMessage by bot",
	"StopMessageInput.messageId": "Mutation.stopMessage", "RegenerateMessageInput.messageId": "Mutation.regenerateMessage",
	"RateMessageInput.messageId":                      "Mutation.rateMessage",
	"SetBudgetInput.botId":                            "Mutation.setBudget",
	"SetBudgetInput.apiKeyId":                         "also the budget of a key",
	"Subscription.messageStream(messageId)":           "Subscription.messageStream",
	"Subscription.documentProgress(documentId)":       "Subscription.documentProgress",
	"Subscription.documentProgress(botId)":            "also documentProgress by bot",
	"Subscription.conversationEvents(conversationId)": "Subscription.conversationEvents",
	"ConversationFilter.botId":                        "also conversations of a bot",
}

// rightsBeside are further ways to ask that take the id of something.
var rightsBeside = map[string]right{
	"also sendMessage by bot": {ask: func(b *belongings) string {
		return `mutation { sendMessage(input: {botId: "` + b.bot() + `", text: "Hello", clientMessageId: "` + newKey() + `"}) { botMessage { id } errors { code } } }`
	}, keys: "CHAT"},
	"also documentProgress by bot": {ask: func(b *belongings) string {
		b.unfinished()
		return `subscription { documentProgress(botId: "` + b.bot() + `") { status } }`
	}, keys: "READ INGEST", reads: true},
	"also conversations of a bot": {ask: func(b *belongings) string {
		return `{ viewer { conversations(filter: {botId: "` + b.bot() + `"}) { nodes { id } } } }`
	}, keys: "READ CHAT", stranger: "ok", nobody: "null", reads: true},
	"also the budget of a key": {ask: func(b *belongings) string {
		return `mutation { setBudget(input: {apiKeyId: "` + b.key() + `", period: MONTH, maxMessages: 1000}) { budget { resetAt } errors { code } } }`
	}},
	"also a session as a node":  {ask: func(b *belongings) string { return `{ node(id: "` + b.session() + `") { id } }` }, stranger: "null", reads: true},
	"also a key as a node":      {ask: func(b *belongings) string { return `{ node(id: "` + b.key() + `") { id } }` }, stranger: "null", reads: true},
	"also a user as a node":     {ask: func(b *belongings) string { return `{ node(id: "` + b.user() + `") { id } }` }, keys: everyKey, stranger: "null", reads: true},
	"also a document as a node": {ask: func(b *belongings) string { return `{ node(id: "` + b.document() + `") { id } }` }, keys: "READ INGEST", stranger: "null", reads: true},
	"also a chunk as a node":    {ask: func(b *belongings) string { return `{ node(id: "` + b.chunk() + `") { id } }` }, keys: "READ INGEST", stranger: "null", reads: true},
	"also an upload as a node": {ask: func(b *belongings) string {
		return `{ node(id: "` + b.upload() + `") { id ... on UploadSlot { url } } }`
	}, keys: "INGEST", stranger: "null", reads: true},
	"also an export as a node": {ask: func(b *belongings) string {
		return `{ node(id: "` + b.export() + `") { id ... on Export { url } } }`
	}, stranger: "null", reads: true},
	"also a gap as a node":          {ask: func(b *belongings) string { return `{ node(id: "` + b.gap() + `") { id } }` }, keys: "READ", stranger: "null", reads: true},
	"also a crawl as a node":        {ask: func(b *belongings) string { return `{ node(id: "` + b.crawl() + `") { id } }` }, keys: "READ INGEST", stranger: "null", reads: true},
	"also a conversation as a node": {ask: func(b *belongings) string { return `{ node(id: "` + b.conversation() + `") { id } }` }, keys: "READ CHAT", stranger: "null", reads: true},
	"also a message as a node":      {ask: func(b *belongings) string { return `{ node(id: "` + b.answer() + `") { id } }` }, keys: "READ CHAT", stranger: "null", reads: true},
}

// rightsOfEdges has every field that leads from one object to others: which scopes get there.
var rightsOfEdges = map[string]right{
	"User.bots":          {ask: func(*belongings) string { return `{ viewer { bots { nodes { id } } } }` }, keys: everyKey, nobody: "null"},
	"User.conversations": {ask: func(*belongings) string { return `{ viewer { conversations { nodes { id } } } }` }, keys: "READ CHAT", nobody: "null"},
	"User.sessions":      {ask: func(*belongings) string { return `{ viewer { sessions { id } } }` }, nobody: "null"},
	"User.apiKeys":       {ask: func(*belongings) string { return `{ viewer { apiKeys { id } } }` }, nobody: "null"},
	"User.auditLog":      {ask: func(*belongings) string { return `{ viewer { auditLog { nodes { id } } } }` }, nobody: "null"},

	"User.exports":    {ask: func(*belongings) string { return `{ viewer { exports { id } } }` }, nobody: "null"},
	"Export.bot":      {ask: ofExport("bot { id }")},
	"Export.progress": {ask: ofExport("progress { done }")},
	"Export.error":    {ask: ofExport("error { code }")},

	"User.usage":      {ask: func(*belongings) string { return `{ viewer { usage { messages } } }` }, nobody: "null"},
	"User.budgets":    {ask: func(*belongings) string { return `{ viewer { budgets { resetAt } } }` }, nobody: "null"},
	"ApiKey.usage":    {ask: func(*belongings) string { return `{ viewer { apiKeys { usage { messages } } } }` }, nobody: "null"},
	"ApiKey.budgets":  {ask: func(*belongings) string { return `{ viewer { apiKeys { budgets { resetAt } } } }` }, nobody: "null"},
	"Usage.models":    {ask: ofUsage("models { model }"), nobody: "null"},
	"Usage.bots":      {ask: ofUsage("bots { botId }"), nobody: "null"},
	"Usage.apiKeys":   {ask: ofUsage("apiKeys { apiKeyId }"), nobody: "null"},
	"Usage.days":      {ask: ofUsage("days { date }"), nobody: "null"},
	"Budget.used":     {ask: func(*belongings) string { return `{ viewer { budgets { used { messages } } } }` }, nobody: "null"},
	"Budget.reserved": {ask: func(*belongings) string { return `{ viewer { budgets { reserved { messages } } } }` }, nobody: "null"},

	"Bot.usage":                        {ask: ofBot("usage { messages }")},
	"Bot.budgets":                      {ask: ofBot("budgets { resetAt }")},
	"Bot.owner":                        {ask: ofBot("owner { id }"), keys: everyKey},
	"Bot.documents":                    {ask: ofBot("documents { nodes { id } }"), keys: "READ INGEST"},
	"Bot.conversations":                {ask: ofBot("conversations { nodes { id } }"), keys: "READ CHAT"},
	"Bot.crawls":                       {ask: ofBot("crawls { nodes { id } }"), keys: "READ INGEST"},
	"Bot.search":                       {ask: ofBot(`search(query: "tea") { score }`), keys: "READ"},
	"Bot.analytics":                    {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { series { from } }`), keys: "READ"},
	"BotAnalytics.total":               {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { total { messages } }`), keys: "READ"},
	"BotAnalytics.series":              {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { series { from } }`), keys: "READ"},
	"BotAnalytics.topDocuments":        {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { topDocuments { answers } }`), keys: "READ"},
	"BotAnalytics.topPassages":         {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { topPassages { answers } }`), keys: "READ"},
	"BotAnalytics.unusedDocuments":     {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { unusedDocuments { nodes { id } } }`), keys: "READ"},
	"CitedDocument.document":           {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { topDocuments { document { id } } }`), keys: "READ"},
	"CitedPassage.document":            {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { topPassages { document { id } } }`), keys: "READ"},
	"CitedPassage.chunk":               {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { topPassages { chunk { id } } }`), keys: "READ"},
	"BotFiguresInSpan.figures":         {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { series { figures { messages } } }`), keys: "READ"},
	"BotFigures.byGrounding":           {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { total { byGrounding { answers } } }`), keys: "READ"},
	"BotFigures.byFinishReason":        {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { total { byFinishReason { answers } } }`), keys: "READ"},
	"BotFigures.byModel":               {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { total { byModel { model } } }`), keys: "READ"},
	"BotFigures.timeToFirstTokenMs":    {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { total { timeToFirstTokenMs { p50 } } }`), keys: "READ"},
	"BotFigures.durationMs":            {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { total { durationMs { p50 } } }`), keys: "READ"},
	"Bot.knowledgeGaps":                {ask: ofBot("knowledgeGaps { nodes { id } }"), keys: "READ"},
	"BotAnalytics.unansweredQuestions": {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2028-01-03T00:00:00Z") { unansweredQuestions { count } }`), keys: "READ"},
	"UnansweredQuestion.gap":           {ask: ofBot(`analytics(from: "2026-01-01T00:00:00Z", to: "2028-01-03T00:00:00Z") { unansweredQuestions { gap { id } } }`), keys: "READ"},
	"KnowledgeGap.bot":                 {ask: ofGap("bot { id }"), keys: "READ", stranger: "null"},
	"KnowledgeGap.questions":           {ask: ofGap("questions { nodes { text } }"), keys: "READ", stranger: "null"},
	"KnowledgeGap.document":            {ask: ofGap("document { id }"), keys: "READ", stranger: "null"},
	"KnowledgeGap.check":               {ask: ofGap("check { total }"), keys: "READ", stranger: "null"},
	"KnowledgeGapQuestion.message":     {ask: ofGap("questions { nodes { message { id } } }"), keys: "READ", stranger: "null"},
	"SearchHit.chunk":                  {ask: ofBot(`search(query: "tea") { chunk { id text } }`), keys: "READ"},

	"Document.bot":              {ask: ofDocument("bot { id }"), keys: "READ INGEST"},
	"Document.progress":         {ask: ofDocument("progress { percent }"), keys: "READ INGEST"},
	"Document.warnings":         {ask: ofDocument("warnings { code }"), keys: "READ INGEST"},
	"Document.lastRun":          {ask: ofDocument("lastRun { cause }"), keys: "READ INGEST"},
	"Document.crawl":            {ask: ofDocument("crawl { id }"), keys: "READ INGEST"},
	"Document.sync":             {ask: ofDocument("sync { nextAt }"), keys: "READ INGEST"},
	"Crawl.bot":                 {ask: ofCrawl("bot { id }"), keys: "READ INGEST", stranger: "null"},
	"Crawl.pages":               {ask: ofCrawl("pages { nodes { url } }"), keys: "READ INGEST", stranger: "null"},
	"CrawlPage.document":        {ask: ofCrawl("pages { nodes { document { id } } }"), keys: "READ INGEST", stranger: "null"},
	"Document.chunks":           {ask: ofDocument("chunks { nodes { id text } }"), keys: "READ INGEST"},
	"DocumentResult.document":   {ask: retrying("document { id }"), keys: "INGEST", stranger: "ok"},
	"DocumentResult.errors":     {ask: retrying("errors { code }"), keys: "INGEST", stranger: "ok"},
	"DocumentProgress.document": {ask: ofDocument("progress { document { id } }"), keys: "READ INGEST"},
	"UploadSlot.document": {ask: func(b *belongings) string {
		return `{ node(id: "` + b.upload() + `") { ... on UploadSlot { document { id } } } }`
	}, keys: "INGEST", stranger: "null"},
	"Chunk.document": {ask: ofDocument("chunks { nodes { document { id } } }"), keys: "READ INGEST"},

	"Conversation.bot":         {ask: ofConversation("bot { id }"), keys: "READ CHAT"},
	"Conversation.user":        {ask: ofConversation("user { id }"), keys: "READ CHAT"},
	"Conversation.lastMessage": {ask: ofConversation("lastMessage { id }"), keys: "READ CHAT"},
	"Conversation.messages":    {ask: ofConversation("messages { nodes { id } }"), keys: "READ CHAT"},

	"Message.conversation": {ask: ofAnswer("conversation { id }"), keys: "READ CHAT"},
	"Message.parent":       {ask: ofAnswer("parent { id }"), keys: "READ CHAT"},
	"Message.siblings":     {ask: ofAnswer("siblings { id }"), keys: "READ CHAT"},
	"Message.citations":    {ask: ofAnswer("citations { quote }"), keys: "READ CHAT"},
	"Message.usage":        {ask: ofAnswer("usage { totalTokens }"), keys: "READ CHAT"},
	"Message.error":        {ask: ofAnswer("error { code }"), keys: "READ CHAT"},
	"Message.feedback":     {ask: ofAnswer("feedback { rating }"), keys: "READ CHAT"},
	"Citation.document":    {ask: ofAnswer("citations { document { id } }"), keys: "READ"},
	"Citation.chunk":       {ask: ofAnswer("citations { chunk { id } }"), keys: "READ"},

	"MessageSnapshot.message":          {ask: ofStream("... on MessageSnapshot { message { text } }"), keys: "READ CHAT"},
	"MessageFinished.message":          {ask: ofStream("... on MessageFinished { message { text } }"), keys: "READ CHAT"},
	"MessageAdded.message":             {ask: ofEvents("... on MessageAdded { message { text } }"), keys: "READ CHAT"},
	"MessageChanged.message":           {ask: ofEvents("... on MessageChanged { message { text } }"), keys: "READ CHAT"},
	"ConversationChanged.conversation": {ask: ofEvents("... on ConversationChanged { conversation { title } }"), keys: "READ CHAT"},
	"ConversationResync.conversation":  {ask: ofEvents("... on ConversationResync { conversation { title } }"), keys: "READ CHAT"},
}

func ofUsage(fields string) func(*belongings) string {
	return func(*belongings) string { return `{ viewer { usage { ` + fields + ` } } }` }
}

func ofBot(fields string) func(*belongings) string {
	return func(b *belongings) string { return `{ bot(id: "` + b.bot() + `") { ` + fields + ` } }` }
}

func ofExport(fields string) func(*belongings) string {
	return func(b *belongings) string { return `{ export(id: "` + b.export() + `") { ` + fields + ` } }` }
}

func ofDocument(fields string) func(*belongings) string {
	return func(b *belongings) string { return `{ document(id: "` + b.document() + `") { ` + fields + ` } }` }
}

func ofCrawl(fields string) func(*belongings) string {
	return func(b *belongings) string {
		return `{ node(id: "` + b.crawl() + `") { ... on Crawl { ` + fields + ` } } }`
	}
}

func ofGap(fields string) func(*belongings) string {
	return func(b *belongings) string {
		return `{ node(id: "` + b.gap() + `") { ... on KnowledgeGap { ` + fields + ` } } }`
	}
}

func ofConversation(fields string) func(*belongings) string {
	return func(b *belongings) string {
		return `{ conversation(id: "` + b.conversation() + `") { ` + fields + ` } }`
	}
}

func ofAnswer(fields string) func(*belongings) string {
	return func(b *belongings) string { return `{ message(id: "` + b.answer() + `") { ` + fields + ` } }` }
}

func ofStream(fields string) func(*belongings) string {
	return func(b *belongings) string {
		return `subscription { messageStream(messageId: "` + b.answer() + `") { __typename ` + fields + ` } }`
	}
}

func ofEvents(fields string) func(*belongings) string {
	return func(b *belongings) string {
		return `subscription { conversationEvents(conversationId: "` + b.conversation() + `") { __typename ` + fields + ` } }`
	}
}

// retrying asks for a field of what became of a document.
func retrying(field string) func(*belongings) string {
	return func(b *belongings) string {
		return `mutation { retryDocuments(input: {documentIds: ["` + b.canceled() + `"]}) { results { ` + field + ` } errors { code } } }`
	}
}
