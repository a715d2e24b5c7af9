# omniauth-openid-connect in Sinatra, as its README shows it.
require "json"
require "net/http"
require "omniauth_openid_connect"
require "sinatra/base"
require "uri"

ISSUER = URI(ENV.fetch("ISSUER"))

class App < Sinatra::Base
  set :server, "webrick"
  set :bind, "127.0.0.1"
  set :port, ENV.fetch("PORT")
  set :sessions, true
  set :session_secret, "of this test" * 8
  # Its tokens are too long for a session in a cookie.
  TOKENS = {}

  use OmniAuth::Builder do
    provider :openid_connect, {
      name: :gatehouse,
      scope: [:openid, :profile, :email, :offline_access],
      response_type: :code,
      issuer: ENV.fetch("ISSUER"),
      discovery: true,
      client_options: {
        scheme: ISSUER.scheme, host: ISSUER.host, port: ISSUER.port,
        identifier: ENV.fetch("CLIENT_ID"), secret: ENV.fetch("CLIENT_SECRET"), redirect_uri: ENV.fetch("REDIRECT_URI"),
      },
    }
  end
  configure { disable :protection }

  get("/") { "home" }

  get "/login" do
    token = Rack::Protection::AuthenticityToken.token(session)
    %(<form method="post" action="/auth/gatehouse"><input type="hidden" name="authenticity_token" value="#{token}"><button>Sign in</button></form>)
  end

  get "/auth/gatehouse/callback" do
    answer = request.env["omniauth.auth"]
    session[:email] = answer.info.email
    TOKENS[answer.uid] = answer.credentials
    session[:uid] = answer.uid
    redirect "/user"
  end

  get("/user") { session[:email] || "nobody" }

  get "/orders" do
    place = URI(ENV.fetch("AUDIENCE") + "orders")
    Net::HTTP.get(place, "Authorization" => "Bearer #{TOKENS[session[:uid]].token}")
  end

  get "/logout" do
    query = URI.encode_www_form(id_token_hint: TOKENS[session[:uid]].id_token, post_logout_redirect_uri: ENV.fetch("HOME_URL"))
    session.clear
    redirect "#{ISSUER}oidc/logout?#{query}"
  end

  run!
end
