"""What a stranger may say instead of a repository, a branch, a path or a server; CANARY is an address or a command."""

CANARY = "CANARY"
_NAMES = [
    "", "-", "--", "-x", "--upload-pack=touch CANARY", "--exec=CANARY", "-oProxyCommand=CANARY", "--output=/tmp/x",
    "-c core.sshCommand=CANARY", "ext::sh -c CANARY", "ext::CANARY", "fd::17", "file:///etc/passwd", "file://CANARY",
    "WEB://CANARY/", "WEBS://CANARY/", "WEBS://CANARY/a/b", "//CANARY/a", "git://CANARY/a", "ssh://CANARY/a",
    "git@CANARY:a/b", "CANARY:a/b", "user:password@CANARY/a", "WEB://169.254.169.254/latest", "169.254.169.254/x/../y",
    "WEB://[::1]/a", "WEB://[fd00:ec2::254]/a", "[::1]/a", "WEB://0x7f000001/", "WEB://2130706433/a",
    "WEB://localhost/a", "a/b@CANARY", "a/b#@CANARY", "a/b?x=CANARY", "a/b;CANARY", "a/b|CANARY", "a/b&CANARY",
    "a/$(CANARY)", "a/`CANARY`", "a/b\nCANARY", "a/b\r\nHost: CANARY", "a/b\0CANARY", "a/b\tc", "a /b", "a/b ", " a/b",
    "../a", "a/..", "a/../..", "./a", "a/.", "../../etc/passwd", "a/../../b", "/a/b", "a//b", "a/b/", "a\\b", "a/b\\c",
    "..\\..\\a", "%2e%2e/a", "a/%2e%2e", "a%2fb/c", "a/b%00", "a/b%0d%0aX", "~/a", "~root/a", "$HOME/a", "a/$HOME",
    "a/*", "a/?", "a/[b]", "a/{b,c}", "a/b^", "a/b~1", "a/b:c", "HEAD", "FETCH_HEAD/..", "refs/heads/main",
    "refs/../../config", "@", "@{u}", "main@{1}", "a@{-1}", "a..b", "a...b", "a/..b/../c", ".git", ".git/config",
    "a/.git", "a/.GIT/config", "a/.git./x", "a/.git /x", "a/GIT~1/x", "a/.git::$INDEX_ALLOCATION/x", ".gitmodules\n",
    "a/b.lock", "a.lock/b", ".a/b", "a/.b/..", "a/b.", "a/b.git\n", "a/b.git/", "é/a", "a/é\u202e", "a\u200b/b",
    "a/b\u2028c", "a/\ufeffb", "ａ/b", "а/b\u0301", "a/b\x1b[31m", "a/b\x7f", "a" * 300, "a/" + "b" * 300,
    "a/b c", "a/'b'", 'a/"b"', "a/<b>", "a/b,c\n", "a/b!", "a/(b)", "-/b", "a/-b", "-a/b", "a/--b", "a-/--exec=x",
    "0" * 40, "a/" + "\n", "\n", "\r", "\0", "null\0/a", "con:/a", "C:/a", "C:\\a", "\\\\CANARY\\share", "smb://CANARY/a",
    "gopher://CANARY/", "dict://CANARY/", "ldap://CANARY/", "jar:WEB://CANARY/!/", "data:text/plain,x", "javascript:x",
    "WEB:CANARY", "WEB:/CANARY", "WEBS:CANARY/a", "WEBS:\\\\CANARY\\a", "WEBS://api.github.com@CANARY/",
    "WEBS://api.github.com.CANARY/", "WEBS://CANARY#api.github.com", "WEBS://api.github.com:443@CANARY/a",
    "WEBS://api.github.com\\@CANARY/", "WEBS://api.github.com\t.CANARY/", "WEBS://api.github.com/../../CANARY",
    "WEB://api.github.com/", "WEBS://api.github.com/?u=CANARY", "WEBS://api.github.com/#CANARY", "ftp://CANARY/a",
    "WEBS://127.0.0.1/", "WEBS://[::ffff:127.0.0.1]/", "WEBS://0/", "WEBS://127.1/", "WEB://127.0.0.1@CANARY:80",
    "a/b\u0000", "a/\ud800", "a/b --", "a/b --upload-pack=x", "a/b\x0b", "a/b\x85",
]  # fmt: skip
HOSTILE = [name.replace("WEBS:", "https:").replace("WEB:", "http:") for name in _NAMES]
