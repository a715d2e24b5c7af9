"""social-auth-core with Django, as python-social-auth's pages on Django and on "OIDC (OpenID Connect)" show it."""
import os
import tempfile

import django
import requests
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.urls import include, path

settings.configure(
    SECRET_KEY="of this test",
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "social_django"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(tempfile.mkdtemp(), "app.db")}},
    AUTHENTICATION_BACKENDS=["social_core.backends.open_id_connect.OpenIdConnectAuth", "django.contrib.auth.backends.ModelBackend"],
    LOGIN_REDIRECT_URL="/user",
    SOCIAL_AUTH_OIDC_OIDC_ENDPOINT=os.environ["ISSUER"].rstrip("/"),
    SOCIAL_AUTH_OIDC_KEY=os.environ["CLIENT_ID"],
    SOCIAL_AUTH_OIDC_SECRET=os.environ["CLIENT_SECRET"],
    SOCIAL_AUTH_OIDC_SCOPE=["offline_access"],
)
django.setup()


def user(request):
    return JsonResponse({"email": getattr(request.user, "email", None)})


def account(request):
    return request.user.social_auth.get(provider="oidc")


def orders(request):
    answer = requests.get(os.environ["AUDIENCE"] + "orders", headers={"Authorization": "Bearer " + account(request).extra_data["access_token"]})
    return JsonResponse(answer.json())


def login(request):
    return HttpResponse(f'''<form method="post" action="/login/oidc/">
        <input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}"><button>Sign in</button></form>''')


def refresh(request):
    from social_django.utils import load_strategy

    account(request).refresh_token(load_strategy())
    return orders(request)


def sign_out(request):
    from django.contrib.auth import logout

    logout(request)
    return HttpResponseRedirect("/user")


urlpatterns = [
    path("user", user),
    path("orders", orders),
    path("login", login),
    path("refresh", refresh),
    path("logout", sign_out),
    path("", include("social_django.urls", namespace="social")),
]

call_command("migrate", verbosity=0)
call_command("runserver", "localhost:" + os.environ["PORT"], use_reloader=False)
