# SPDX-License-Identifier: GPL-2.0-or-later
# prophet.R - R's prophet with the same events, at given origins: IN.csv EVENTS.csv OUT.csv HORIZON ORIGIN,ORIGIN,...
# Defaults throughout, as its quick start has them; an event is felt on its day and the one after.
suppressMessages(library(prophet))
a <- commandArgs(TRUE)
x <- read.csv(a[1])
names(x) <- c("ds", "y")
events <- read.csv(a[2])
holidays <- data.frame(holiday = events$name, ds = as.Date(events$date), lower_window = 0, upper_window = 1)
h <- as.integer(a[4])
origins <- as.integer(strsplit(a[5], ",")[[1]])
first <- as.Date(x$ds[1])
levels <- c(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
rows <- list()
set.seed(1)
for (o in origins) {
	seen <- x[as.Date(x$ds) <= first + o, ]
	m <- suppressMessages(prophet(seen, holidays = holidays))
	future <- data.frame(ds = first + o + 1:h)
	draws <- predictive_samples(m, future)$yhat
	q <- t(apply(draws, 1, quantile, probs = levels))
	# The point forecast is what prophet calls so.
	rows[[length(rows) + 1]] <- data.frame(origin = o, step = 1:h, yhat = predict(m, future)$yhat, q)
}
out <- do.call(rbind, rows)
names(out) <- c("origin", "step", "yhat", paste0("q", levels))
write.csv(out, a[3], row.names = FALSE)
