// The live log follows its newest line, unless somebody has scrolled up to read.
let following = true;

function follow() {
  const log = document.querySelector("[data-follow]");
  if (log && following) log.scrollTop = log.scrollHeight;
}

document.addEventListener("scroll", (event) => {
  if (event.target.matches?.("[data-follow]")) {
    following = event.target.scrollHeight - event.target.scrollTop - event.target.clientHeight < 40;
  }
}, true);
document.addEventListener("htmx:afterSettle", follow);
document.addEventListener("DOMContentLoaded", follow);
