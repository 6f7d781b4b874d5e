package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"porchlight/audit"
)

// route is a row of the table that everything the server answers comes from.
type route struct {
	method string
	path   string       // as OpenAPI writes it: /photos/{photo_id}
	roles  []audit.Role // that it serves; nil serves anyone, without credentials
	page   bool         // for people: errors are pages, credentials are a session
	bare   bool         // of a page's route: its answer depends on no session, none is read
	doc    *operation   // of the API
	handle func(*gin.Context) error
	// enlist registers a route that huma reads and writes, in place of handle.
	enlist func(*Server, huma.API, huma.Operation)
}

// routed is the path as the router writes it.
func (r route) routed() string {
	return strings.NewReplacer("{", ":", "}", "").Replace(r.path)
}

// maxTypedBytes bounds the body of a route that huma reads: an event's detail is the
// longest thing in one, and huma reads it whole, twice, before it says what is wrong.
const maxTypedBytes = 64 << 10

// typed makes a route's handler of a function from a typed input to a typed answer.
// huma reads and validates the one, writes the other and describes both.
func typed[I, O any](f func(context.Context, *I) (*O, error)) func(*Server, huma.API, huma.Operation) {
	return func(_ *Server, api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := f(ctx, in)
			if err != nil {
				return nil, problemOf(ctx, err)
			}
			return out, nil
		})
	}
}

// Who a route serves.
var (
	everyRole  = []audit.Role{audit.Driver, audit.Agent, audit.Dispatch, audit.Admin}
	readers    = everyRole
	drivers    = []audit.Role{audit.Driver}
	uploaders  = []audit.Role{audit.Driver, audit.Admin}
	reporters  = []audit.Role{audit.Driver, audit.Dispatch, audit.Admin}
	importers  = []audit.Role{audit.Dispatch, audit.Admin}
	claimants  = []audit.Role{audit.Agent, audit.Dispatch, audit.Admin}
	answerers  = []audit.Role{audit.Agent, audit.Admin}
	operations = []audit.Role{audit.Dispatch, audit.Admin}
	admins     = []audit.Role{audit.Admin}
)

// apiRoutes are the routes for programs.
func (s *Server) apiRoutes() []route {
	const v1 = "/api/v1"
	return []route{
		{method: "GET", path: "/healthz", handle: s.alive},
		{method: "GET", path: "/readyz", handle: s.ready},
		{method: "GET", path: "/metrics", handle: s.scrape},
		{method: "GET", path: "/openapi.json", handle: s.openAPI},
		{method: "GET", path: "/porchlight.pub", handle: s.publicKey},

		{method: "POST", path: v1 + "/deliveries", roles: importers, doc: &importDeliveriesDoc, handle: importRows(s, s.records.PutDeliveries)},
		{method: "GET", path: v1 + "/deliveries", roles: claimants, doc: &deliveriesDoc, enlist: typed(s.deliveries)},
		{method: "GET", path: v1 + "/deliveries/{tracking_id}", roles: readers, doc: &deliveryDoc, enlist: typed(s.deliveryOnRecord)},
		{method: "POST", path: v1 + "/deliveries/{tracking_id}/photos", roles: uploaders, doc: &uploadDoc, handle: s.uploadPhoto},
		{method: "POST", path: v1 + "/deliveries/{tracking_id}/events", roles: reporters, doc: &eventDoc, enlist: typed(s.addEvent)},

		{method: "POST", path: v1 + "/deliveries/{tracking_id}/attachments", roles: claimants, doc: &addAttachmentDoc, handle: s.addAttachment},
		{method: "GET", path: v1 + "/attachments/{attachment_id}", roles: claimants, doc: &attachmentDoc, handle: s.attachmentFile},
		{method: "POST", path: v1 + "/tracks", roles: importers, doc: &trackDoc, handle: s.importTrack},

		{method: "GET", path: v1 + "/photos/{photo_id}", roles: readers, doc: &originalDoc, handle: s.original},
		{method: "GET", path: v1 + "/photos/{photo_id}/preview", roles: readers, doc: &previewDoc, handle: s.preview},
		{method: "GET", path: v1 + "/photos/{photo_id}/reports", roles: readers, doc: &reportsDoc, enlist: typed(s.photoReports)},

		{method: "POST", path: v1 + "/uploads/{upload_id}/review", roles: answerers, doc: &addRulingDoc, enlist: typed(s.addRuling)},
		{method: "GET", path: v1 + "/reviews", roles: claimants, doc: &rulingsDoc, enlist: typed(s.rulings)},
		{method: "GET", path: v1 + "/clusters", roles: claimants, doc: &clustersDoc, enlist: typed(s.clusters)},
		{method: "GET", path: v1 + "/reviews/waiting", roles: claimants, doc: &waitingDoc, enlist: typed(s.waitingUploads)},

		{method: "POST", path: v1 + "/claims", roles: claimants, doc: &importClaimsDoc, handle: importRows(s, s.records.PutClaims)},
		{method: "GET", path: v1 + "/claims", roles: claimants, doc: &claimsDoc, enlist: typed(s.claims)},
		{method: "GET", path: v1 + "/claims/{claim_id}", roles: claimants, doc: &claimDoc, enlist: typed(s.claim)},
		{method: "POST", path: v1 + "/claims/{claim_id}/packets", roles: answerers, doc: &issueDoc, enlist: typed(s.issuePacket)},
		{method: "GET", path: v1 + "/claims/{claim_id}/packets", roles: claimants, doc: &packetsDoc, enlist: typed(s.packets)},
		{method: "POST", path: v1 + "/claims/{claim_id}/outcome", roles: answerers, doc: &outcomeDoc, enlist: typed(s.addOutcome)},
		{method: "GET", path: v1 + "/outcomes", roles: claimants, doc: &talliesDoc, enlist: typed(s.tallies)},
		{method: "POST", path: v1 + "/packets", roles: answerers, doc: &bulkDoc, handle: s.bulk},
		{method: "GET", path: v1 + "/packets/{packet_id}", roles: claimants, doc: &packetDoc, handle: s.packetFile},
		{method: "GET", path: v1 + "/packets/{packet_id}/channels", roles: claimants, doc: &preflightsDoc, enlist: typed(s.preflights)},
		{method: "GET", path: v1 + "/packets/{packet_id}/channels/{channel}", roles: claimants, doc: &submissionDoc, handle: s.submission},

		{method: "POST", path: v1 + "/blocks", roles: importers, doc: &importBlocksDoc, handle: importRows(s, s.records.PutBlocks)},
		{method: "POST", path: v1 + "/feedback", roles: importers, doc: &importFeedbackDoc, handle: importRows(s, s.records.PutFeedback)},
		{method: "POST", path: v1 + "/concessions", roles: importers, doc: &importConcessionsDoc, handle: importRows(s, s.records.PutConcessions)},
		{method: "POST", path: v1 + "/photo-reports", roles: importers, doc: &importPhotoReportsDoc, handle: s.importPhotoReports},
		{method: "GET", path: v1 + "/photo-reports", roles: claimants, doc: &photoReportDoc, enlist: typed(s.photoReport)},
		{method: "GET", path: v1 + "/photo-reports.csv", roles: claimants, doc: &photoReportCSVDoc, handle: s.photoReportCSV},
		{method: "GET", path: v1 + "/photo-reports/differences", roles: claimants, doc: &photoDifferencesDoc, enlist: typed(s.photoDifferences)},
		{method: "GET", path: v1 + "/drivers/{driver_id}/standing", roles: readers, doc: &standingDoc, enlist: typed(s.driverStanding)},
		{method: "GET", path: v1 + "/standings", roles: claimants, doc: &standingsDoc, enlist: typed(s.standings)},

		{method: "GET", path: v1 + "/holds", roles: admins, doc: &holdsDoc, enlist: typed(s.holds)},
		{method: "POST", path: v1 + "/holds", roles: admins, doc: &placeHoldDoc, enlist: typed(s.placeHold)},
		{method: "DELETE", path: v1 + "/holds/{hold_id}", roles: admins, doc: &releaseHoldDoc, enlist: typed(s.releaseHold)},
		{method: "GET", path: v1 + "/tokens", roles: admins, doc: &tokensDoc, enlist: typed(s.tokens)},
		{method: "POST", path: v1 + "/tokens", roles: admins, doc: &makeTokenDoc, enlist: typed(s.makeToken)},
		{method: "DELETE", path: v1 + "/tokens/{token_id}", roles: admins, doc: &revokeTokenDoc, enlist: typed(s.revokeToken)},

		{method: "POST", path: v1 + "/reaudits", roles: admins, doc: &startReauditDoc, enlist: typed(s.startReaudit)},
		{method: "GET", path: v1 + "/reaudits", roles: operations, doc: &reauditsDoc, enlist: typed(s.reaudits)},
		{method: "GET", path: v1 + "/reaudits/{run_id}", roles: operations, doc: &reauditDoc, enlist: typed(s.reauditRun)},
		{method: "POST", path: v1 + "/reaudits/{run_id}/state", roles: admins, doc: &changeReauditDoc, enlist: typed(s.changeReaudit)},
		{method: "GET", path: v1 + "/reaudits/{run_id}/failures", roles: operations, doc: &reauditFailuresDoc, enlist: typed(s.reauditFailures)},

		{method: "GET", path: v1 + "/webhooks", roles: admins, doc: &webhooksDoc, enlist: typed(s.webhooks)},
		{method: "POST", path: v1 + "/webhooks", roles: admins, doc: &addWebhookDoc, enlist: typed(s.addWebhook)},
		{method: "DELETE", path: v1 + "/webhooks/{endpoint_id}", roles: admins, doc: &removeWebhookDoc, enlist: typed(s.removeWebhook)},
		{method: "POST", path: v1 + "/webhooks/{endpoint_id}/test", roles: admins, doc: &testWebhookDoc, enlist: typed(s.testWebhook)},
		{method: "GET", path: v1 + "/webhooks/{endpoint_id}/deliveries", roles: admins, doc: &webhookMessagesDoc, enlist: typed(s.webhookMessages)},
		{method: "GET", path: v1 + "/custody", roles: admins, doc: &custodyDoc, enlist: typed(s.custodyLog)},
	}
}

// routes is the whole table.
func (s *Server) routes() []route { return append(s.apiRoutes(), s.pageRoutes()...) }

// register builds the router from the table, and the OpenAPI document with it.
func (s *Server) register(version string, proxies []string) error {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.RemoteIPHeaders = []string{"X-Forwarded-For"}
	if err := e.SetTrustedProxies(proxies); err != nil {
		return fmt.Errorf("server: Config.TrustedProxies: %w", err)
	}
	s.engine, s.table = e, map[string]*route{}
	e.Use(s.observe, s.guard)
	e.NoRoute(func(c *gin.Context) { s.fail(c, audit.Errorf(audit.CodeNotFound, "There is nothing at this address")) })
	e.NoMethod(func(c *gin.Context) {
		s.fail(c, audit.Errorf(CodeMethod, "%s is not possible here; Allow says what is", c.Request.Method))
	})
	api := humagin.New(e, apiConfig(version))
	for _, r := range s.routes() {
		key := r.method + " " + r.routed()
		if s.table[key] != nil {
			return errors.New("server: two routes for " + key)
		}
		s.table[key] = &r
		op := r.operation(api.OpenAPI().Components.Schemas)
		if r.enlist != nil {
			op.MaxBodyBytes = maxTypedBytes
			r.enlist(s, api, *op)
			continue
		}
		e.Handle(r.method, r.routed(), func(c *gin.Context) {
			if err := r.handle(c); err != nil {
				s.fail(c, err)
			}
		})
		if op != nil {
			r.doc.describe(api.OpenAPI(), *op)
		}
	}
	spec, err := specJSON(api.OpenAPI())
	if err != nil {
		return fmt.Errorf("server: the OpenAPI document: %w", err)
	}
	s.spec = spec
	return nil
}

// operation is the route's entry in the OpenAPI document; nil where it has none.
func (r route) operation(schemas huma.Registry) *huma.Operation {
	if r.doc == nil {
		return nil
	}
	status := r.doc.status
	if status == 0 {
		status = http.StatusOK
	}
	words := make([]string, len(r.roles))
	for i, role := range r.roles {
		words[i] = string(role)
	}
	return &huma.Operation{
		OperationID: r.doc.id, Method: r.method, Path: r.path, Summary: r.doc.summary,
		Description: strings.TrimSpace(r.doc.text + "\n\nRoles: " + strings.Join(words, ", ") + "."),
		Tags:        []string{r.doc.tag}, DefaultStatus: status,
		Security:  []map[string][]string{{"bearer": {}}},
		Responses: r.doc.responses(schemas, r.path),
	}
}
