"""Word, PDF and EPUB files (.docx, .pdf, .epub) as texts for pentad."""
