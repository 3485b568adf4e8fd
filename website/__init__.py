"""Makes the documentation site of docs/ with MkDocs; see mkdocs.yml.

hooks          what MkDocs calls: adds pages, mends links, sets equations
links          links to files that are no pages of the site
programs       the reference of the programs, from their flags
flags_of       the flags of one program, as JSON
settings_page  the reference of the settings, from their source
api            the reference of the Python names, for mkdocstrings
run_files, kinds_of_files    the reference of the files that programs leave
equations      LaTeX -> MathML
"""
