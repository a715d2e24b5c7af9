"""mozilla-django-oidc, as its "Installation" and "Settings" pages show it."""
import os
import tempfile
from urllib.parse import urlencode

import django
import requests
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.urls import include, path

issuer = os.environ["ISSUER"]
settings.configure(
    SECRET_KEY="of this test",
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "mozilla_django_oidc"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "mozilla_django_oidc.middleware.SessionRefresh",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(tempfile.mkdtemp(), "app.db")}},
    AUTHENTICATION_BACKENDS=["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
    LOGIN_REDIRECT_URL="/user",
    LOGOUT_REDIRECT_URL="/user",
    OIDC_RP_CLIENT_ID=os.environ["CLIENT_ID"],
    OIDC_RP_CLIENT_SECRET=os.environ["CLIENT_SECRET"],
    OIDC_RP_SIGN_ALGO="RS256",
    OIDC_OP_JWKS_ENDPOINT=issuer + ".well-known/jwks.json",
    OIDC_OP_AUTHORIZATION_ENDPOINT=issuer + "authorize",
    OIDC_OP_TOKEN_ENDPOINT=issuer + "oauth/token",
    OIDC_OP_USER_ENDPOINT=issuer + "userinfo",
    OIDC_STORE_ACCESS_TOKEN=True,
    OIDC_STORE_ID_TOKEN=True,
    OIDC_OP_LOGOUT_URL_METHOD=__name__ + ".provider_logout",
)
django.setup()


def provider_logout(request):
    """As the page "Log user out of the OpenID Connect provider" says."""
    return issuer + "oidc/logout?" + urlencode({
        "id_token_hint": request.session["oidc_id_token"],
        "post_logout_redirect_uri": os.environ["HOME_URL"],
    })


def user(request):
    return JsonResponse({"email": getattr(request.user, "email", None)})


def orders(request):
    answer = requests.get(os.environ["AUDIENCE"] + "orders", headers={"Authorization": "Bearer " + request.session["oidc_access_token"]})
    return JsonResponse(answer.json())


def refresh(request):
    """Now its middleware does what it does every fifteen minutes: a silent sign-in."""
    request.session["oidc_id_token_expiration"] = 0
    return HttpResponseRedirect("/orders")


def sign_out(request):
    return HttpResponse(f'''<form method="post" action="/oidc/logout/">
        <input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}"><button>Sign out</button></form>''')


urlpatterns = [
    path("user", user),
    path("orders", orders),
    path("refresh", refresh),
    path("logout", sign_out),
    path("oidc/", include("mozilla_django_oidc.urls")),
]

call_command("migrate", verbosity=0)
call_command("runserver", "localhost:" + os.environ["PORT"], use_reloader=False)
