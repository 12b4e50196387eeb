"""How `make docs` builds the site: Sphinx, MyST Markdown, a reference from docstrings."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are no warnings
sys.path.insert(0, str(Path(__file__).parent))

import tfadaopt

project = "tfadaopt"
author = "the authors of tfadaopt"
release = version = tfadaopt.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "extensions.maths",
    "extensions.reference",
    "extensions.claims",
    "extensions.links",
    "extensions.closed",
]
exclude_patterns = ["_build"]
autodoc_typehints = "none"  # the docstrings say them in words
autodoc_inherit_docstrings = False
napoleon_custom_sections = ["Source"]
napoleon_use_ivar = True
napoleon_attr_annotations = False

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3

# Of the standard library, whose pages are on the internet.
nitpick_ignore = [("py:exc", "re.error")]

highlight_language = "none"  # of what names no language, such as what a command prints

html_theme = "furo"
html_title = f"tfadaopt {release}"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = html_show_copyright = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"font-stack": "system-ui, sans-serif"},
    "dark_css_variables": {"font-stack": "system-ui, sans-serif"},
}

linkcheck_timeout = 20
linkcheck_ignore = [r"\.\./"]  # files of the site, which `extensions.closed` follows
linkcheck_anchors = False
