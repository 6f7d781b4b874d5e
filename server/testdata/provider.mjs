// An OpenID provider for the tests: npm's oidc-provider, with one client and three people.
//
//   node provider.mjs FOLDER REDIRECT_URI
//
// FOLDER is where oidc-provider is installed. The client is "porchlight", its secret is
// in the environment as CLIENT_SECRET. The issuer is printed once connections are
// accepted. It ends when its standard input does.
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, redirectURI] = process.argv.slice(2);
const installed = createRequire(path.join(path.resolve(folder), 'package.json'));
const { default: Provider } = await import(pathToFileURL(installed.resolve('oidc-provider')));

const people = {
  ann: { name: 'Ann Agent', realm_access: { roles: ['offline', 'support'] } },
  ada: { name: 'Ada Admin', realm_access: { roles: ['ops'] } },
  vic: { name: 'Vic Visitor', realm_access: { roles: ['offline'] } },
};

const server = http.createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const scope = 'openid profile email';

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'porchlight',
    client_secret: process.env.CLIENT_SECRET,
    redirect_uris: [redirectURI],
    response_types: ['code'],
    grant_types: ['authorization_code'],
  }],
  pkce: { required: () => true },
  scopes: scope.split(' '),
  claims: { openid: ['sub'], profile: ['name', 'realm_access'], email: ['email'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  cookies: { keys: ['test'] },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  async findAccount(ctx, id) {
    return people[id] && { accountId: id, claims: async () => ({ sub: id, ...people[id] }) };
  },
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope(scope);
    await grant.save();
    return grant;
  },
});

const answer = provider.callback();
server.on('request', async (request, response) => {
  const url = new URL(request.url, issuer);
  if (!url.pathname.startsWith('/interaction/')) {
    answer(request, response);
    return;
  }
  try {
    await provider.interactionDetails(request, response);
    const accountId = url.searchParams.get('login');
    if (accountId === 'nobody') {
      await provider.interactionFinished(request, response, { error: 'access_denied' });
    } else if (accountId) {
      await provider.interactionFinished(request, response, { login: { accountId } });
    } else {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end('<form><input name="login"><button>Sign in</button></form>');
    }
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
});

process.stdin.on('end', () => process.exit(0)).resume();
console.log(issuer);
