# ruby's oauth2, as its README shows the authorization code flow.
require "json"
require "oauth2"
require "securerandom"
require "uri"
require "webrick"

ISSUER = ENV.fetch("ISSUER")
CLIENT = OAuth2::Client.new(ENV.fetch("CLIENT_ID"), ENV.fetch("CLIENT_SECRET"), site: ISSUER, authorize_url: "/authorize", token_url: "/oauth/token")

state = nil
token = nil # of the one person of this test
orders = ->(answer) { answer.body = token.get(ENV.fetch("AUDIENCE") + "orders").body }

pages = {
  "/login" => lambda do |_, answer|
    state = SecureRandom.hex
    answer.set_redirect(WEBrick::HTTPStatus::Found, CLIENT.auth_code.authorize_url(
      redirect_uri: ENV.fetch("REDIRECT_URI"), scope: "openid profile email offline_access", state: state))
  end,
  "/callback" => lambda do |request, answer|
    raise "another state" unless request.query["state"] == state
    token = CLIENT.auth_code.get_token(request.query["code"], redirect_uri: ENV.fetch("REDIRECT_URI"))
    answer.set_redirect(WEBrick::HTTPStatus::Found, "/user")
  end,
  "/user" => ->(_, answer) { answer.body = token ? token.get("/userinfo").body : "nobody" },
  "/orders" => ->(_, answer) { orders.call(answer) },
  "/refresh" => lambda do |_, answer|
    token = token.refresh!
    orders.call(answer)
  end,
  "/logout" => lambda do |_, answer|
    query = URI.encode_www_form(id_token_hint: token.params["id_token"], post_logout_redirect_uri: ENV.fetch("HOME_URL"))
    token = nil
    answer.set_redirect(WEBrick::HTTPStatus::Found, ISSUER + "oidc/logout?" + query)
  end,
}

server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: ENV.fetch("PORT").to_i, AccessLog: [])
server.mount_proc("/") { |request, answer| (pages[request.path] || ->(*) {}).call(request, answer) }
server.start
